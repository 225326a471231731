//! `oculus-host plugin check`: everything that a plugin promises, tried on one library.
//!
//! In: a file. Out: a line a claim, and a verdict that says what to do. The library is opened in a process of its own, from
//! a private copy, so that whatever it does ends there.

use parking_lot::Mutex;
use std::env::consts::DLL_SUFFIX;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context;
use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};

use crate::config::Config;
use oculus_plugin_host::process::{Death, DeathCause, PluginProcess};
use oculus_plugin_host::protocol::{Event, Reply, Request};
use oculus_plugin_host::store::Store;
use oculus_plugin_host::trust::TrustList;
use oculus_plugin_host::{format, probe};

/// A claim that is not decided within this time is broken: the library hangs.
const CLAIM_LIMIT: Duration = Duration::from_secs(60);

/// What is told of the examination as it goes on.
enum News {
    Is(Box<Manifest>),
    Tries(String),
    Found(Finding),
    Over(Result<(), String>),
}

/// Checks a library and says what came of it.
///
/// # Errors
/// When the file cannot be read or no process be started. A library that fails is no error but exit code 1.
pub(super) fn run(config: &Config, path: &Path, verbose: bool) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let store = Store::within(&folder.path().join("check"))?;
    let path = path.canonicalize().with_context(|| format!("`{}` cannot be found", path.display()))?;
    let copy = store.copy(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let sha256 = copy.sha256.clone();
    super::super::answer(&format!("{}\nSHA-256 {sha256}", path.display()))?;
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
    let (sender, news) = mpsc::channel();
    let sender = Arc::new(Mutex::new(sender));
    let tell = {
        let sender = Arc::clone(&sender);
        move |news| _ = sender.lock().send(news)
    };
    let tell = Arc::new(tell);
    let hear = Arc::clone(&tell);
    let listener = Arc::new(move |event: &Event| match event {
        Event::Examining { claim, .. } => hear(News::Tries(claim.clone())),
        Event::Found { finding, .. } => hear(News::Found(finding.clone())),
        _ => {}
    });
    let process = Arc::new(PluginProcess::start(subject.start(listener))?);
    let asked = Arc::clone(&process);
    std::thread::spawn(move || {
        let over = converse(&asked, &*tell);
        tell(News::Over(over));
    });
    let verdict = follow(&news, &subject.library, verbose);
    process.end();
    verdict
}

/// Asks who it is, then for everything that it promises.
fn converse(process: &PluginProcess, tell: &dyn Fn(News)) -> Result<(), String> {
    let died = |death: Death| {
        let said: String = death.stderr.iter().rev().take(5).rev().map(|line| format!("\n    {line}")).collect();
        match death.cause {
            DeathCause::Unusable(reason) | DeathCause::MissingLibrary(reason) => reason,
            cause => format!("ended its process ({cause}){said}"),
        }
    };
    match process.call(Request::Describe).map_err(died)? {
        Reply::Described(json) => tell(News::Is(Box::new(probe::read_manifest(&json)?))),
        Reply::Refused { message, .. } => return Err(format!("cannot say who it is: {message}")),
        other => return Err(format!("answered {other:?} when asked who it is")),
    }
    match process.call(Request::Examine(Depth::Suite)).map_err(died)? {
        Reply::Examined(_) => tell(News::Found(silence(&process.ended()))),
        other => return Err(format!("answered {other:?} when examined")),
    }
    Ok(())
}

/// The claim that only a host can try on a library: what it printed meanwhile.
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

/// Shows each claim as it is decided, and the verdict at the end.
fn follow(news: &mpsc::Receiver<News>, library: &Path, verbose: bool) -> anyhow::Result<ExitCode> {
    let (mut tried, mut n_held, mut n_broken) = (String::from("it opens, and says who it is"), 0, 0);
    let (mut n_silent, mut id) = (0, String::from("<id>"));
    loop {
        match news.recv_timeout(CLAIM_LIMIT) {
            Ok(News::Is(manifest)) => {
                n_held += 1;
                manifest.id.clone_into(&mut id);
                super::super::answer(&format!("  ok     {tried}: {}", introduction(&manifest)))?;
            }
            Ok(News::Tries(claim)) => tried = claim,
            Ok(News::Found(Finding { claim, verdict })) => match verdict {
                Verdict::Holds => {
                    n_held += 1;
                    super::super::answer(&format!("  ok     {claim}"))?;
                }
                Verdict::Broken { reason } => {
                    n_broken += 1;
                    super::super::answer(&format!(
                        "  BROKEN {claim}\n         {}",
                        reason.replace('\n', "\n         ")
                    ))?;
                }
                Verdict::Inapplicable { reason } => {
                    n_silent += 1;
                    if verbose {
                        super::super::answer(&format!("  -      {claim}: {reason}"))?;
                    }
                }
            },
            Ok(News::Over(Ok(()))) if n_broken == 0 => {
                let place = published_as(&id, library);
                super::super::answer(&format!(
                    "passes: {n_held} claims hold{}; publish it as PLUGINS_DIR/{place}, written beside and renamed",
                    unsaid(n_silent)
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
            Ok(News::Over(Ok(()))) => {
                return fails(&format!("{n_broken} broken, {n_held} hold{}", unsaid(n_silent)));
            }
            Ok(News::Over(Err(reason))) => return fails(&format!("at `{tried}` it {reason}")),
            Err(_) => return fails(&format!("at `{tried}` it hangs: nothing for {} s", CLAIM_LIMIT.as_secs())),
        }
    }
}

/// Claims that say nothing of the plugin.
fn unsaid(n_silent: usize) -> String {
    if n_silent == 0 { String::new() } else { format!(", {n_silent} say nothing of it (-v)") }
}

/// Where a worker finds it: under a name that begins and ends as libraries do.
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
    super::super::answer(&format!("fails: {reason}"))?;
    Ok(ExitCode::FAILURE)
}
