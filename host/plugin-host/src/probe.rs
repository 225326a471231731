//! The examination of a library before a job uses it, in a throw-away process with a time limit.
//!
//! In: a private copy. Out: the plugin's description of itself, or why it may not be active. Layouts are compared both
//! ways when it is opened; then it describes itself, fits, saves, loads, predicts and is cancelled.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};
use parking_lot::Mutex;
use rustix::process::Signal;

use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Death, DeathCause, Listener, PluginProcess, Start};
use crate::protocol::{Event, Reply, Request};

/// A library that has not passed within this time is refused: it hangs, or the machine is overloaded.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest reason that is reported.
const MAX_REASON_LINES: usize = 3;
const MAX_LINE_CHARS: usize = 300;

/// A library to be examined.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in the log.
    pub name: String,
    /// The file to open.
    pub library: PathBuf,
    /// SHA-256 that it must have, as hex.
    pub sha256: String,
    /// Where its own shared libraries are looked for.
    pub library_dirs: Vec<PathBuf>,
    /// What its process may use.
    pub limits: Limits,
}

impl Subject {
    /// Returns what its process is started with: no table and no GPU.
    pub fn start(&self, listener: Listener) -> Start<'_> {
        let library = LibraryRef {
            name: &self.name,
            path: &self.library,
            sha256: &self.sha256,
            file_id: None,
            dirs: &self.library_dirs,
        };
        Start { library, table: None, gpu: None, limits: self.limits, listener }
    }
}

/// Why a library may not be active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ProbeError {
    /// The reason, in at most three lines.
    pub reason: String,
    /// What is at fault.
    pub fault: Fault,
}

/// What is at fault when a library may not be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The library: every examination fails.
    Library,
    /// The machine, which was too slow or had too little memory: another examination may pass.
    Machine,
    /// A shared library that it needs is missing, and may be installed.
    MissingDependency,
}

impl ProbeError {
    /// Creates an error with a reason that is shortened to what a person can read.
    pub fn new(fault: Fault, reason: &str) -> Self {
        let lines = reason.lines().map(str::trim).filter(|line| !line.is_empty()).take(MAX_REASON_LINES);
        let lines: Vec<String> = lines.map(|line| line.chars().take(MAX_LINE_CHARS).collect()).collect();
        Self { reason: lines.join("\n"), fault }
    }
}

/// Examines a library.
///
/// # Errors
/// Why it may not be active.
pub fn probe(subject: &Subject) -> Result<Manifest, ProbeError> {
    let latest_claim = LatestClaim::default();
    let process = PluginProcess::start(subject.start(latest_claim.listener()));
    let process = process.map_err(|error| ProbeError::new(Fault::Machine, &format!("{error:#}")))?;
    let process = Arc::new(process);
    let examination = Examination { process: Arc::clone(&process), latest_claim: latest_claim.clone() };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // After the time limit the result has no receiver.
        let _ = sender.send(examination.run());
    });
    let result = receiver.recv_timeout(LIMIT).unwrap_or_else(|_| Err(latest_claim.timed_out()));
    process.end();
    result
}

/// One library under examination.
struct Examination {
    process: Arc<PluginProcess>,
    latest_claim: LatestClaim,
}

impl Examination {
    fn run(&self) -> Result<Manifest, ProbeError> {
        let manifest = match self.call(Request::Describe, "cannot say who it is")? {
            Reply::Described(json) => read_manifest(&json).map_err(|error| broken(&error.to_string()))?,
            other => return Err(broken(&format!("answered {other:?} when asked who it is"))),
        };
        match self.call(Request::Examine(Depth::Probe), "cannot be examined")? {
            Reply::Examined(findings) => match broken_claims(&findings) {
                None => Ok(manifest),
                Some(reason) => Err(broken(&reason)),
            },
            other => Err(broken(&format!("answered {other:?} when examined"))),
        }
    }

    /// * `refusal`: what a refused request means.
    fn call(&self, request: Request, refusal: &str) -> Result<Reply, ProbeError> {
        self.process.call(request).map_err(|error| match error {
            CallError::Refused { message, .. } => broken(&format!("{refusal}: {message}")),
            CallError::Died(death) => on_death(&death, self.latest_claim.get().as_deref()),
        })
    }
}

/// The claim that is examined now; `None` before the first.
#[derive(Clone, Default)]
struct LatestClaim(Arc<Mutex<Option<String>>>);

impl LatestClaim {
    fn listener(&self) -> Listener {
        let latest = Arc::clone(&self.0);
        Arc::new(move |event: &Event| {
            if let Event::Examining { claim, .. } = event {
                *latest.lock() = Some(claim.clone());
            }
        })
    }

    fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }

    fn timed_out(&self) -> ProbeError {
        let limit_s = LIMIT.as_secs();
        let stage = stage(self.get().as_deref());
        ProbeError::new(Fault::Machine, &format!("hangs: it has not passed within {limit_s} s, being {stage}"))
    }
}

fn broken(reason: &str) -> ProbeError {
    ProbeError::new(Fault::Library, reason)
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be parsed.
    #[error("has a manifest that cannot be read: {0}")]
    Unreadable(serde_json::Error),
    /// It contradicts itself in these ways.
    #[error("has a manifest that makes no sense: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

/// Parses and checks a manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_manifest(json: &str) -> Result<Manifest, ManifestError> {
    let manifest: Manifest = serde_json::from_str(json).map_err(ManifestError::Unreadable)?;
    manifest.check().map_err(ManifestError::Invalid)?;
    Ok(manifest)
}

/// Returns the claims that do not hold, one line per claim; `None` if all do.
fn broken_claims(findings: &[Finding]) -> Option<String> {
    let lines = findings.iter().filter_map(|finding| match &finding.verdict {
        Verdict::Broken { reason } => Some(format!("breaks `{}`: {}", finding.claim, reason.replace('\n', "; "))),
        Verdict::Holds | Verdict::Inapplicable { .. } => None,
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns the error for a process that died.
///
/// * `claim`: the claim that was examined; `None` before the first.
fn on_death(death: &Death, claim: Option<&str>) -> ProbeError {
    let fault = match &death.cause {
        DeathCause::Unusable(reason) => return ProbeError::new(Fault::Library, reason),
        DeathCause::MissingLibrary(reason) => return ProbeError::new(Fault::MissingDependency, reason),
        DeathCause::Silent { .. } | DeathCause::OutOfMemory { .. } => Fault::Machine,
        // Only the system, or a user, sends this signal.
        DeathCause::Exited(cause) if cause.signal() == Some(Signal::KILL.as_raw()) => Fault::Machine,
        // The plugin process itself could not start: no thread, no memory.
        DeathCause::Exited(cause) if cause.code() == Some(1) && claim.is_none() => Fault::Machine,
        DeathCause::Exited(_) | DeathCause::Malformed(_) | DeathCause::Unknown(_) => Fault::Library,
    };
    let printed: Vec<_> = death.stderr.iter().rev().filter(|line| !line.trim().is_empty()).take(2).collect();
    let printed: String = printed.into_iter().rev().map(|line| format!("\n{line}")).collect();
    ProbeError::new(fault, &format!("ended its process ({}), being {}{printed}", death.cause, stage(claim)))
}

fn stage(claim: Option<&str>) -> String {
    claim.map_or_else(|| "opened".to_owned(), |claim| format!("examined for `{claim}`"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use oculus_plugin_api::Param;
    use oculus_system::child::ExitCause;

    use super::*;

    #[test]
    fn a_manifest_that_makes_no_sense_is_refused_with_all_reasons() {
        let sound = Manifest::new("third-party", "1.0.0").param(Param::float("rate", 0.5).range(0, 1));
        assert_eq!(read_manifest(&serde_json::to_string(&sound).unwrap()).unwrap(), sound);
        let broken = sound.param(Param::choice("kind", "a", [])).rounds_param("rate");
        let problems = broken.check().unwrap_err();
        let error = read_manifest(&serde_json::to_string(&broken).unwrap()).unwrap_err();
        assert!(matches!(&error, ManifestError::Invalid(found) if *found == problems), "{error}");
        let named: Vec<_> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(named[..2], ["kind", "rounds_param rate"]);
    }

    #[test]
    fn a_death_that_the_machine_may_have_caused_is_not_held_against_the_library() {
        let fault = |cause, claim| on_death(&Death { cause, stdout: vec![], stderr: vec![] }, claim).fault;
        let exited = |raw| DeathCause::Exited(ExitCause::from(ExitStatus::from_raw(raw)));
        assert_eq!(fault(exited(9), Some("it fits")), Fault::Machine, "SIGKILL comes from outside");
        assert_eq!(fault(exited(1 << 8), None), Fault::Machine, "the process could not begin");
        assert_eq!(fault(DeathCause::OutOfMemory(1 << 20), Some("it fits")), Fault::Machine);
        assert_eq!(fault(exited(1 << 8), Some("it fits")), Fault::Library);
        assert_eq!(fault(exited(11), None), Fault::Library);
        assert_eq!(fault(DeathCause::Malformed("noise".to_owned()), None), Fault::Library);
        assert_eq!(fault(DeathCause::MissingLibrary("libx.so".to_owned()), None), Fault::MissingDependency);
    }

    #[test]
    fn a_reason_has_three_lines_at_most() {
        let long = format!("first\n\n  second\nthird {}\nfourth", "x".repeat(1000));
        let brief = ProbeError::new(Fault::Library, &long).reason;
        assert_eq!(brief.lines().count(), 3);
        assert!(brief.starts_with("first\nsecond\nthird xx") && brief.len() < 400, "{brief}");
    }
}
