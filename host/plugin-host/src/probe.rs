//! The examination of a library before a job uses it, in a throw-away process with a time limit.
//!
//! In: a private copy. Out: the plugin's description of itself, or why it may not be active. Layouts are compared both
//! ways when it is opened; then it describes itself, fits, saves, loads, predicts and is cancelled.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};
use rustix::process::Signal;

use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{Death, DeathCause, Listener, PluginProcess, Start};
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
    /// A process for it, without a table.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let (claims, latest_claim) = mpsc::channel();
    let listener = Arc::new(move |event: &Event| {
        if let Event::Examining { claim, .. } = event {
            let _ = claims.send(claim.clone());
        }
    });
    let process = PluginProcess::start(subject.start(listener));
    let process = process.map_err(|error| ProbeError::new(Fault::Machine, &format!("{error:#}")))?;
    let process = Arc::new(process);
    let (sender, receiver) = mpsc::channel();
    let examined = Arc::clone(&process);
    std::thread::spawn(move || {
        // After the time limit there is no receiver.
        let _ = sender.send(examine(&examined));
    });
    let answer = receiver.recv_timeout(LIMIT);
    process.end();
    let claim = latest_claim.try_iter().last();
    match answer {
        Ok(Ok(manifest)) => Ok(manifest),
        Ok(Err(Failure::Broken(reason))) => Err(ProbeError::new(Fault::Library, &reason)),
        Ok(Err(Failure::Died(death))) => Err(on_death(&death, claim.as_deref())),
        Err(_) => {
            let (limit, stage) = (LIMIT.as_secs(), stage(claim.as_deref()));
            let reason = format!("hangs: it has not passed within {limit} s, being {stage}");
            Err(ProbeError::new(Fault::Machine, &reason))
        }
    }
}

enum Failure {
    Broken(String),
    Died(Death),
}

fn examine(process: &PluginProcess) -> Result<Manifest, Failure> {
    let manifest = match process.call(Request::Describe).map_err(Failure::Died)? {
        Reply::Described(json) => read_manifest(&json).map_err(Failure::Broken)?,
        Reply::Refused { message, .. } => return Err(Failure::Broken(format!("cannot say who it is: {message}"))),
        other => return Err(Failure::Broken(format!("answered {other:?} when asked who it is"))),
    };
    match process.call(Request::Examine(Depth::Probe)).map_err(Failure::Died)? {
        Reply::Examined(findings) => match broken_claims(&findings) {
            None => Ok(manifest),
            Some(reason) => Err(Failure::Broken(reason)),
        },
        other => Err(Failure::Broken(format!("answered {other:?} when examined"))),
    }
}

/// Parses and checks a manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_manifest(json: &str) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_str(json).map_err(|error| format!("has a manifest that cannot be read: {error}"))?;
    match manifest.check() {
        Ok(()) => Ok(manifest),
        Err(problems) => Err(format!("has a manifest that makes no sense: {}", problems.join("; "))),
    }
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

/// * `claim`: the one that was examined; `None` before the first.
fn on_death(death: &Death, claim: Option<&str>) -> ProbeError {
    let fault = match &death.cause {
        DeathCause::Unusable(reason) => return ProbeError::new(Fault::Library, reason),
        DeathCause::MissingLibrary(reason) => return ProbeError::new(Fault::MissingDependency, reason),
        DeathCause::Silent { .. } | DeathCause::OutOfMemory { .. } => Fault::Machine,
        // Only the system, or a user, sends this signal.
        DeathCause::Exited(cause) if cause.signal() == Some(Signal::KILL.as_raw()) => Fault::Machine,
        // The plugin process itself could not begin: no thread, no memory.
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
#[allow(clippy::unwrap_used)]
mod tests {
    use oculus_system::child::ExitCause;
    use std::os::unix::process::ExitStatusExt;

    use std::process::ExitStatus;

    use oculus_plugin_api::Param;

    use super::*;

    #[test]
    fn a_manifest_that_makes_no_sense_is_refused_with_all_reasons() {
        let sound = Manifest::new("third-party", "1.0.0").param(Param::float("rate", 0.5).range(0, 1));
        assert_eq!(read_manifest(&serde_json::to_string(&sound).unwrap()).unwrap(), sound);
        let broken = sound.param(Param::choice("kind", "a", [])).rounds_param("rate");
        let refusal = read_manifest(&serde_json::to_string(&broken).unwrap()).unwrap_err();
        let reasons = "kind: no choices, needed at least one; rounds_param rate: needed a whole number";
        assert!(refusal.starts_with(&format!("has a manifest that makes no sense: {reasons}")), "{refusal}");
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
