//! `oculus-host plugin check`: tests every claim of the plugin API on one library.
//!
//! In: a file, and optionally a folder of bars. Out: one line per claim, and a conclusion with the
//! next step. A separate process
//! opens a private copy of the library, so the effects of a faulty library end with that process.

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

use super::real_table::RealTable;
use crate::cli::stdout::print_output;
use crate::config::Config;

/// Time after which the library is considered to hang. The measurement restarts whenever the test
/// of a claim starts or finishes.
const CLAIM_LIMIT: Duration = Duration::from_secs(60);

/// The progress of an examination.
enum ExaminationProgress {
    /// The plugin has returned its manifest.
    Described(Box<Manifest>),
    /// The test of a claim has started.
    Testing(String),
    /// The test of a claim has finished.
    Found(Finding),
    /// The examination has finished, or it failed for this reason.
    Finished(Result<(), String>),
}

/// Checks a library and prints the conclusion; the exit code is 0 if every claim holds, else 1.
///
/// # Errors
/// Returns an error if the file cannot be read or the plugin process cannot be started. A library
/// that fails the check is not an error.
pub(super) fn run(config: &Config, path: &Path, bars: Option<&Path>, verbose: bool) -> anyhow::Result<ExitCode> {
    // The bars are read first, so that a wrong folder is reported before the claims are tested.
    let table = bars.map(|folder| RealTable::read(folder, config)).transpose()?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let store = Store::open(&folder.path().join("check"))?;
    let path = path.canonicalize().with_context(|| format!("cannot find `{}`", path.display()))?;
    // The private copy is checked, hashed and opened. A build that replaces the original file
    // meanwhile has no effect.
    let copy = store.copy(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let sha256 = copy.sha256.clone();
    print_output(&format!("{}\nSHA-256 {sha256}", path.display()))?;
    if !TrustList::read(&config.jobs.plugins.trust).allows(&sha256) {
        return report_failure("it is not listed in PLUGINS_TRUSTED, so it is not opened");
    }
    let bytes = copy.bytes()?;
    let library_dirs = match format::check(&bytes, &path) {
        Ok(folders) => folders,
        Err(error) => return report_failure(&format!("it {error}")),
    };
    drop(bytes);
    let library = store.persist(copy, &path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let subject = probe::ProbeTarget { name, library, sha256, library_dirs, limits: config.jobs.plugins.limits };
    let exit_code = examine(&subject, verbose)?;
    let Some(table) = table.filter(|_| exit_code == ExitCode::SUCCESS) else { return Ok(exit_code) };
    match table.try_plugin(&subject) {
        Ok(report) => print_output(&report)?,
        Err(reason) => return report_failure(&format!("on real bars it {reason}")),
    }
    Ok(exit_code)
}

/// Examines a library in a plugin process, and prints the findings as they are received.
fn examine(subject: &probe::ProbeTarget, verbose: bool) -> anyhow::Result<ExitCode> {
    let (sender, received) = mpsc::channel();
    // Two threads report: the reader of the process's events, and the thread that sends the
    // requests.
    let sender = Mutex::new(sender);
    let report = Arc::new(move |progress| _ = sender.lock().send(progress));
    let report_event = Arc::clone(&report);
    let listener = Arc::new(move |event: &Event| match event {
        Event::Examining { claim, .. } => report_event(ExaminationProgress::Testing(claim.clone())),
        Event::Found { finding, .. } => report_event(ExaminationProgress::Found(finding.clone())),
        _ => {}
    });
    let process = Arc::new(PluginProcess::start(subject.process_options(listener))?);
    let examined = Arc::clone(&process);
    std::thread::spawn(move || {
        let result = request_examination(&examined, &*report);
        report(ExaminationProgress::Finished(result));
    });
    let exit_code = print_findings(&received, &subject.library, verbose);
    // A hanging library never returns from its call, so the plugin process is always killed at the
    // end.
    process.terminate();
    exit_code
}

/// Requests the plugin's manifest, then the examination of all its claims.
fn request_examination(process: &PluginProcess, on_progress: &dyn Fn(ExaminationProgress)) -> Result<(), String> {
    let died = |death: Death| {
        let stderr: String = death.stderr.iter().rev().take(5).rev().map(|line| format!("\n    {line}")).collect();
        match death.cause {
            DeathCause::Unusable(reason) | DeathCause::MissingLibrary(reason) => reason,
            cause => format!("terminated its process ({cause}){stderr}"),
        }
    };
    match process.call(Request::Describe) {
        Ok(Reply::Described(json)) => {
            let manifest = probe::read_manifest(&json).map_err(|error| error.to_string())?;
            on_progress(ExaminationProgress::Described(Box::new(manifest)));
        }
        Ok(other) => return Err(format!("returned {other:?} instead of its manifest")),
        Err(CallError::Rejected { message, .. }) => return Err(format!("cannot return its manifest: {message}")),
        Err(CallError::Died(death)) => return Err(died(death)),
    }
    match process.call(Request::Examine(Depth::Suite)) {
        Ok(Reply::Examined(_)) => {
            on_progress(ExaminationProgress::Found(stdout_finding(&process.terminate_and_wait())))
        }
        Ok(other) => return Err(format!("returned {other:?} instead of the end of the examination")),
        Err(CallError::Rejected { message, .. }) => return Err(format!("cannot be examined: {message}")),
        Err(CallError::Died(death)) => return Err(died(death)),
    }
    Ok(())
}

/// Returns the finding on the claim that the library printed nothing on stdout.
// The other claims are tested inside the plugin process. This claim needs the complete output of
// that process.
fn stdout_finding(death: &Death) -> Finding {
    let verdict = match death.stdout.last() {
        None => Verdict::Holds,
        Some(line) => Verdict::Broken {
            reason: format!(
                "printed {line:?} on stdout, which must stay empty because programs read it; use `ctx.log`, or stderr"
            ),
        },
    };
    Finding { claim: "nothing is printed on stdout".to_owned(), verdict }
}

/// Prints each finding as it is received, and the conclusion at the end.
fn print_findings(
    received: &mpsc::Receiver<ExaminationProgress>,
    library: &Path,
    verbose: bool,
) -> anyhow::Result<ExitCode> {
    let mut tested = String::from("it opens and returns its manifest");
    let mut id = String::from("<id>");
    let mut n_held = 0;
    let mut n_broken = 0;
    let mut n_inapplicable = 0;
    loop {
        // A hanging library reports nothing, so the limit applies to the time between two reports.
        match received.recv_timeout(CLAIM_LIMIT) {
            Ok(ExaminationProgress::Described(manifest)) => {
                n_held += 1;
                manifest.id.clone_into(&mut id);
                print_output(&format!("  ok     {tested}: {}", describe(&manifest)))?;
            }
            Ok(ExaminationProgress::Testing(claim)) => tested = claim,
            Ok(ExaminationProgress::Found(Finding { claim, verdict })) => match verdict {
                Verdict::Holds => {
                    n_held += 1;
                    print_output(&format!("  ok     {claim}"))?;
                }
                Verdict::Broken { reason } => {
                    n_broken += 1;
                    print_output(&format!("  BROKEN {claim}\n         {}", reason.replace('\n', "\n         ")))?;
                }
                Verdict::Inapplicable { reason } => {
                    n_inapplicable += 1;
                    if verbose {
                        print_output(&format!("  -      {claim}: {reason}"))?;
                    }
                }
            },
            Ok(ExaminationProgress::Finished(Ok(()))) if n_broken == 0 => {
                let place = published_as(&id, library);
                print_output(&format!(
                    "passes: {n_held} claims hold{}; to publish it, copy it next to PLUGINS_DIR/{place} and rename the copy",
                    inapplicable(n_inapplicable)
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
            Ok(ExaminationProgress::Finished(Ok(()))) => {
                return report_failure(&format!("{n_broken} broken, {n_held} hold{}", inapplicable(n_inapplicable)));
            }
            Ok(ExaminationProgress::Finished(Err(reason))) => {
                return report_failure(&format!("at `{tested}` it {reason}"));
            }
            Err(_) => {
                return report_failure(&format!("at `{tested}` it hangs: no progress for {} s", CLAIM_LIMIT.as_secs()));
            }
        }
    }
}

/// Returns a part of the conclusion: the number of claims that do not apply to the plugin.
fn inapplicable(n_inapplicable: usize) -> String {
    if n_inapplicable == 0 { String::new() } else { format!(", {n_inapplicable} do not apply (-v lists them)") }
}

/// Returns the path, relative to the plugins folder, under which a worker finds the library.
fn published_as(id: &str, library: &Path) -> String {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    // A worker ignores files whose name does not begin with `lib`.
    let stem = name.trim_end_matches(DLL_SUFFIX);
    let lib = if stem.starts_with("lib") { "" } else { "lib" };
    format!("{id}/{lib}{stem}{DLL_SUFFIX}")
}

fn describe(manifest: &Manifest) -> String {
    let Manifest { id, version, api, devices, .. } = manifest;
    format!(
        "{id} {version}, plugin API {api}, {}, for {}",
        format!("{:?}", manifest.role).to_lowercase(),
        devices.join(", ")
    )
}

/// Prints why the check failed, and returns the exit code.
fn report_failure(reason: &str) -> anyhow::Result<ExitCode> {
    print_output(&format!("fails: {reason}"))?;
    Ok(ExitCode::FAILURE)
}
