//! `oculus-host plugin check`: tests one library against every promise of a plugin.
//!
//! In: a file. Out: one line per claim, and a verdict with the next step. The library is opened in
//! a process of its own, from a private copy, so that nothing it does outlives that process.

use std::env::consts::DLL_SUFFIX;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context;
use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};
use oculus_plugin_host::process::{CallError, Death, DeathCause, PluginProcess};
use oculus_plugin_host::protocol::{Event, Reply, Request};
use oculus_plugin_host::store::Store;
use oculus_plugin_host::trust::TrustList;
use oculus_plugin_host::{format, probe};
use parking_lot::Mutex;

use crate::cli::stdout::print_answer;
use crate::config::Config;

/// A claim that is not decided within this time is broken: the library hangs.
const CLAIM_LIMIT: Duration = Duration::from_secs(60);

/// The progress of an examination.
enum ExaminationProgress {
    /// The plugin has described itself.
    Described(Box<Manifest>),
    /// A claim is being tested.
    Testing(String),
    /// A claim is decided.
    Found(Finding),
    /// The examination has ended, or failed for this reason.
    Ended(Result<(), String>),
}

/// Checks a library and prints the verdict.
///
/// # Errors
/// The file cannot be read, or no process can be started. A library that fails the check is not an error: the exit code
/// is 1.
pub(super) fn run(config: &Config, path: &Path, verbose: bool) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let store = Store::within(&folder.path().join("check"))?;
    let path = path.canonicalize().with_context(|| format!("`{}` cannot be found", path.display()))?;
    let copy = store.copy(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let sha256 = copy.sha256.clone();
    print_answer(&format!("{}\nSHA-256 {sha256}", path.display()))?;
    if !TrustList::read(&config.jobs.plugins.trust).allows(&sha256) {
        return fails("it is not listed in PLUGINS_TRUSTED, so it is not opened");
    }
    let bytes = copy.bytes()?;
    let library_dirs = match format::check(&bytes, &path) {
        Ok(folders) => folders,
        Err(error) => return fails(&format!("it {error}")),
    };
    drop(bytes);
    let library = store.place(copy, &path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let subject = probe::Subject { name, library, sha256, library_dirs, limits: config.jobs.plugins.limits };
    examine(&subject, verbose)
}

fn examine(subject: &probe::Subject, verbose: bool) -> anyhow::Result<ExitCode> {
    let (sender, received) = mpsc::channel();
    let sender = Mutex::new(sender);
    let report = Arc::new(move |progress| _ = sender.lock().send(progress));
    let report_event = Arc::clone(&report);
    let listener = Arc::new(move |event: &Event| match event {
        Event::Examining { claim, .. } => report_event(ExaminationProgress::Testing(claim.clone())),
        Event::Found { finding, .. } => report_event(ExaminationProgress::Found(finding.clone())),
        _ => {}
    });
    let process = Arc::new(PluginProcess::start(subject.start(listener))?);
    let examined = Arc::clone(&process);
    std::thread::spawn(move || {
        let result = converse(&examined, &*report);
        report(ExaminationProgress::Ended(result));
    });
    let verdict = follow(&received, &subject.library, verbose);
    process.end();
    verdict
}

/// Requests the plugin's manifest, then the examination of all its promises.
fn converse(process: &PluginProcess, on_progress: &dyn Fn(ExaminationProgress)) -> Result<(), String> {
    let died = |death: Death| {
        let stderr: String = death.stderr.iter().rev().take(5).rev().map(|line| format!("\n    {line}")).collect();
        match death.cause {
            DeathCause::Unusable(reason) | DeathCause::MissingLibrary(reason) => reason,
            cause => format!("ended its process ({cause}){stderr}"),
        }
    };
    match process.call(Request::Describe) {
        Ok(Reply::Described(json)) => {
            let manifest = probe::read_manifest(&json).map_err(|error| error.to_string())?;
            on_progress(ExaminationProgress::Described(Box::new(manifest)));
        }
        Ok(other) => return Err(format!("answered {other:?} when asked who it is")),
        Err(CallError::Refused { message, .. }) => return Err(format!("cannot say who it is: {message}")),
        Err(CallError::Died(death)) => return Err(died(death)),
    }
    match process.call(Request::Examine(Depth::Suite)) {
        Ok(Reply::Examined(_)) => on_progress(ExaminationProgress::Found(silence(&process.ended()))),
        Ok(other) => return Err(format!("answered {other:?} when examined")),
        Err(CallError::Refused { message, .. }) => return Err(format!("cannot be examined: {message}")),
        Err(CallError::Died(death)) => return Err(died(death)),
    }
    Ok(())
}

/// Returns the finding on the one claim that only a host can test: that the library printed nothing on stdout.
fn silence(death: &Death) -> Finding {
    let verdict = match death.stdout.last() {
        None => Verdict::Holds,
        Some(line) => Verdict::Broken {
            reason: format!(
                "printed {line:?} on stdout, needed nothing there: programs read it; use `ctx.log`, or stderr"
            ),
        },
    };
    Finding { claim: "nothing is printed on stdout".to_owned(), verdict }
}

/// Prints each claim as it is decided, and the verdict at the end.
fn follow(received: &mpsc::Receiver<ExaminationProgress>, library: &Path, verbose: bool) -> anyhow::Result<ExitCode> {
    let mut tested = String::from("it opens, and says who it is");
    let mut id = String::from("<id>");
    let mut n_held = 0;
    let mut n_broken = 0;
    let mut n_inapplicable = 0;
    loop {
        match received.recv_timeout(CLAIM_LIMIT) {
            Ok(ExaminationProgress::Described(manifest)) => {
                n_held += 1;
                manifest.id.clone_into(&mut id);
                print_answer(&format!("  ok     {tested}: {}", introduction(&manifest)))?;
            }
            Ok(ExaminationProgress::Testing(claim)) => tested = claim,
            Ok(ExaminationProgress::Found(Finding { claim, verdict })) => match verdict {
                Verdict::Holds => {
                    n_held += 1;
                    print_answer(&format!("  ok     {claim}"))?;
                }
                Verdict::Broken { reason } => {
                    n_broken += 1;
                    print_answer(&format!("  BROKEN {claim}\n         {}", reason.replace('\n', "\n         ")))?;
                }
                Verdict::Inapplicable { reason } => {
                    n_inapplicable += 1;
                    if verbose {
                        print_answer(&format!("  -      {claim}: {reason}"))?;
                    }
                }
            },
            Ok(ExaminationProgress::Ended(Ok(()))) if n_broken == 0 => {
                let place = published_as(&id, library);
                print_answer(&format!(
                    "passes: {n_held} claims hold{}; publish it as PLUGINS_DIR/{place}, written beside and renamed",
                    inapplicable(n_inapplicable)
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
            Ok(ExaminationProgress::Ended(Ok(()))) => {
                return fails(&format!("{n_broken} broken, {n_held} hold{}", inapplicable(n_inapplicable)));
            }
            Ok(ExaminationProgress::Ended(Err(reason))) => return fails(&format!("at `{tested}` it {reason}")),
            Err(_) => return fails(&format!("at `{tested}` it hangs: nothing for {} s", CLAIM_LIMIT.as_secs())),
        }
    }
}

/// Returns the part of the verdict on claims that do not apply to the plugin.
fn inapplicable(n_inapplicable: usize) -> String {
    if n_inapplicable == 0 { String::new() } else { format!(", {n_inapplicable} say nothing of it (-v)") }
}

/// Returns the path in the plugins folder under which a worker finds the library.
fn published_as(id: &str, library: &Path) -> String {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.trim_end_matches(DLL_SUFFIX);
    let lib = if stem.starts_with("lib") { "" } else { "lib" };
    format!("{id}/{lib}{stem}{DLL_SUFFIX}")
}

fn introduction(manifest: &Manifest) -> String {
    let Manifest { id, version, api, devices, .. } = manifest;
    format!(
        "{id} {version}, plugin API {api}, {}, for {}",
        format!("{:?}", manifest.role).to_lowercase(),
        devices.join(", ")
    )
}

fn fails(reason: &str) -> anyhow::Result<ExitCode> {
    print_answer(&format!("fails: {reason}"))?;
    Ok(ExitCode::FAILURE)
}
