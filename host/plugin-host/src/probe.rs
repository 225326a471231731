//! Examines a library before a job uses it, in a temporary process with a time limit.
//!
//! In: a private copy of the library. Out: the plugin's manifest, or the reason why the library
//! must not be active. Opening the library compares the type layouts in both directions. Then the
//! plugin returns its manifest, fits, saves, loads, predicts and is cancelled.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};
use oculus_system::text::shorten;
use parking_lot::Mutex;
use rustix::process::Signal;

use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Death, DeathCause, Listener, PluginProcess, ProcessOptions};
use crate::protocol::{Event, Reply, Request};

/// The time limit of an examination. If an examination exceeds it, the library hangs or the machine
/// is overloaded.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum number of lines of a reason.
const MAX_REASON_LINES: usize = 3;
/// The maximum length of a line of a reason.
const MAX_LINE_CHARS: usize = 300;

/// A library to examine.
#[derive(Clone, Debug)]
pub struct ProbeTarget {
    /// Name of the library in the log.
    pub name: String,
    /// Path of the file to open.
    pub library: PathBuf,
    /// SHA-256 that the file must have, as hex.
    pub sha256: String,
    /// Folders of the shared libraries that it needs.
    pub library_dirs: Vec<PathBuf>,
    /// Limits of its process.
    pub limits: Limits,
}

impl ProbeTarget {
    /// Returns the options of the process that examines the library. It has no table and no GPU.
    pub fn process_options(&self, listener: Listener) -> ProcessOptions<'_> {
        let library = LibraryRef {
            name: &self.name,
            path: &self.library,
            sha256: &self.sha256,
            // Without an id the process hashes the file, because an examination must not rely on
            // metadata.
            file_id: None,
            dirs: &self.library_dirs,
        };
        ProcessOptions { library, table: None, gpu: None, limits: self.limits, listener }
    }
}

/// The reason why a library must not be active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ProbeError {
    /// The reason, in at most three lines.
    pub reason: String,
    /// The cause of the failure.
    pub fault: Fault,
}

/// The cause of a failed examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The library is faulty. Every further examination would fail.
    Library,
    /// The machine was too slow or had too little memory. A later examination may pass.
    Machine,
    /// A shared library is missing. A user may install it.
    MissingDependency,
}

impl ProbeError {
    /// Creates an error, shortening the reason to at most three lines of at most 300 characters. A
    /// shortened line ends in an ellipsis. Parts of a reason may come from damaged bytes, such as a
    /// type layout, so they can have any length.
    pub fn new(fault: Fault, reason: &str) -> Self {
        let lines = reason.lines().map(str::trim).filter(|line| !line.is_empty()).take(MAX_REASON_LINES);
        let lines: Vec<String> = lines.map(|line| shorten(line, MAX_LINE_CHARS)).collect();
        Self { reason: lines.join("\n"), fault }
    }
}

/// Examines a library.
///
/// # Errors
/// Returns [`ProbeError`] if the library must not be active.
pub fn probe(target: &ProbeTarget) -> Result<Manifest, ProbeError> {
    let latest_claim = LatestClaim::default();
    let process = PluginProcess::start(target.process_options(latest_claim.listener()));
    let process = process.map_err(|error| ProbeError::new(Fault::Machine, &format!("{error:#}")))?;
    let process = Arc::new(process);
    let examination = Examination { process: Arc::clone(&process), latest_claim: latest_claim.clone() };
    let (sender, receiver) = mpsc::channel();
    // The examination runs on a separate thread, because a call may block for longer than the time
    // limit.
    std::thread::spawn(move || {
        // The error is ignored, because the receiver is dropped if the time limit was exceeded.
        let _ = sender.send(examination.run());
    });
    let result = receiver.recv_timeout(PROBE_TIMEOUT).unwrap_or_else(|_| Err(latest_claim.timed_out()));
    process.terminate();
    result
}

/// One running examination.
struct Examination {
    process: Arc<PluginProcess>,
    latest_claim: LatestClaim,
}

impl Examination {
    fn run(&self) -> Result<Manifest, ProbeError> {
        let manifest = match self.call(Request::Describe, "cannot return its manifest")? {
            Reply::Described(json) => read_manifest(&json).map_err(|error| broken(&error.to_string()))?,
            other => return Err(broken(&format!("returned {other:?} instead of its manifest"))),
        };
        match self.call(Request::Examine(Depth::Probe), "cannot be examined")? {
            Reply::Examined(findings) => match broken_claims(&findings) {
                None => Ok(manifest),
                Some(reason) => Err(broken(&reason)),
            },
            other => Err(broken(&format!("returned {other:?} instead of the end of the examination"))),
        }
    }

    /// Sends a request and returns the reply.
    ///
    /// * `failure`: the beginning of the reported reason if the plugin rejects the request.
    fn call(&self, request: Request, failure: &str) -> Result<Reply, ProbeError> {
        self.process.call(request).map_err(|error| match error {
            CallError::Rejected { message, .. } => broken(&format!("{failure}: {message}")),
            CallError::Died(death) => death_error(&death, self.latest_claim.get().as_deref()),
        })
    }
}

/// The claim that is currently tested; `None` before the first claim. It is the probable cause if
/// the process dies.
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
        let limit_s = PROBE_TIMEOUT.as_secs();
        let stage = stage(self.get().as_deref());
        ProbeError::new(
            Fault::Machine,
            &format!("hangs: the examination did not finish within {limit_s} s, while the library was {stage}"),
        )
    }
}

/// Returns the error for a fault of the library.
fn broken(reason: &str) -> ProbeError {
    ProbeError::new(Fault::Library, reason)
}

/// The reason why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The manifest cannot be parsed.
    #[error("has a manifest that cannot be parsed: {0}")]
    Unreadable(serde_json::Error),
    /// The manifest contradicts itself. Contains every problem.
    #[error("has an invalid manifest: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

/// Parses and checks a manifest.
///
/// # Errors
/// Returns [`ManifestError`] if the manifest cannot be parsed or is invalid.
pub fn read_manifest(json: &str) -> Result<Manifest, ManifestError> {
    let manifest: Manifest = serde_json::from_str(json).map_err(ManifestError::Unreadable)?;
    manifest.check().map_err(ManifestError::Invalid)?;
    Ok(manifest)
}

/// Returns one line per claim that does not hold, or `None` if all claims hold.
fn broken_claims(findings: &[Finding]) -> Option<String> {
    let lines = findings.iter().filter_map(|finding| match &finding.verdict {
        Verdict::Broken { reason } => Some(format!("violates `{}`: {}", finding.claim, reason.replace('\n', "; "))),
        Verdict::Holds | Verdict::Inapplicable { .. } => None,
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns the error for a process that died.
///
/// * `claim`: the claim that was being tested when the process died; `None` before the first claim.
fn death_error(death: &Death, claim: Option<&str>) -> ProbeError {
    let fault = match &death.cause {
        DeathCause::Unusable(reason) => return ProbeError::new(Fault::Library, reason),
        DeathCause::MissingLibrary(reason) => return ProbeError::new(Fault::MissingDependency, reason),
        DeathCause::Silent { .. } | DeathCause::OutOfMemory { .. } => Fault::Machine,
        // Only the system or a user sends SIGKILL here, so the library is not at fault.
        DeathCause::Exited(cause) if cause.signal() == Some(Signal::KILL.as_raw()) => Fault::Machine,
        // The plugin process failed before it opened the library, for example because it could not
        // start a thread.
        DeathCause::Exited(cause) if cause.code() == Some(1) && claim.is_none() => Fault::Machine,
        DeathCause::Exited(_) | DeathCause::Malformed(_) | DeathCause::Unknown(_) => Fault::Library,
    };
    let printed: Vec<_> = death.stderr.iter().rev().filter(|line| !line.trim().is_empty()).take(2).collect();
    let printed: String = printed.into_iter().rev().map(|line| format!("\n{line}")).collect();
    ProbeError::new(fault, &format!("terminated its process ({}) while it was {}{printed}", death.cause, stage(claim)))
}

/// Returns the stage of an examination, as the end of a sentence.
fn stage(claim: Option<&str>) -> String {
    claim.map_or_else(|| "being opened".to_owned(), |claim| format!("being examined for `{claim}`"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use oculus_plugin_api::Param;
    use oculus_system::child::ExitCause;

    use super::*;

    #[test]
    fn an_invalid_manifest_is_rejected_with_every_problem() {
        let valid = Manifest::new("third-party", "1.0.0").param(Param::float("rate", 0.5).range(0, 1));
        assert_eq!(read_manifest(&serde_json::to_string(&valid).unwrap()).unwrap(), valid);
        let broken = valid.param(Param::choice("kind", "a", [])).rounds_param("rate");
        let problems = broken.check().unwrap_err();
        let error = read_manifest(&serde_json::to_string(&broken).unwrap()).unwrap_err();
        assert!(matches!(&error, ManifestError::Invalid(found) if *found == problems), "{error}");
        let named: Vec<_> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(named[..2], ["kind", "rounds_param rate"]);
    }

    #[test]
    fn a_death_that_the_machine_may_have_caused_is_not_a_fault_of_the_library() {
        let fault = |cause, claim| death_error(&Death { cause, stdout: vec![], stderr: vec![] }, claim).fault;
        let exited = |raw| DeathCause::Exited(ExitCause::from(ExitStatus::from_raw(raw)));
        assert_eq!(fault(exited(9), Some("it fits")), Fault::Machine, "SIGKILL comes from outside");
        assert_eq!(fault(exited(1 << 8), None), Fault::Machine, "the process could not start");
        assert_eq!(fault(DeathCause::OutOfMemory(1 << 20), Some("it fits")), Fault::Machine);
        assert_eq!(fault(exited(1 << 8), Some("it fits")), Fault::Library);
        assert_eq!(fault(exited(11), None), Fault::Library);
        assert_eq!(fault(DeathCause::Malformed("noise".to_owned()), None), Fault::Library);
        assert_eq!(fault(DeathCause::MissingLibrary("libx.so".to_owned()), None), Fault::MissingDependency);
    }

    #[test]
    fn a_reason_has_at_most_three_lines_of_300_characters() {
        let long = format!("first\n\n  second\nthird {}\nfourth", "x".repeat(1000));
        let brief = ProbeError::new(Fault::Library, &long).reason;
        let third = format!("third {}…", "x".repeat(293));
        assert_eq!(brief.lines().collect::<Vec<_>>(), ["first", "second", &third]);
    }
}
