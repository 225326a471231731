//! The examination of a library before any job sees it, in a throw-away process with a time limit.
//!
//! In: a private copy. Out: what the plugin says of itself, or why it may not serve. Layouts are compared both ways as it
//! is opened; then it says who it is, fits, saves, loads, predicts and is told to stop.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use oculus_plugin_api::Manifest;
use oculus_plugin_api::conformance::{Depth, Finding, Verdict};

use crate::limits::Limits;
use crate::process::{Death, Library, Listener, Manner, PluginProcess, Start};
use crate::protocol::{Event, Reply, Request};

/// A library that has not passed within this time is refused: it hangs, or its machine is overloaded.
const LIMIT: Duration = Duration::from_secs(20);
/// Lines of a reason, and characters of a line.
const LONGEST_REASON: (usize, usize) = (3, 300);

/// A library to be examined.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What the log calls it.
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
        let name = &self.name;
        let library =
            Library { name, path: &self.library, sha256: &self.sha256, stamp: None, dirs: &self.library_dirs };
        Start { library, table: None, gpu: None, limits: self.limits, listener }
    }
}

/// Why a library may not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// In at most three lines.
    pub reason: String,
    /// Whose fault it is.
    pub fault: Fault,
}

/// Whose fault it is that a library may not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The library's own: it is so at every try.
    Library,
    /// The machine's, which was too slow or had too little memory: another try may end otherwise.
    Machine,
    /// Nobody's: a shared library that it needs is not there, and may be installed.
    Wants,
}

impl Unfit {
    /// The library's own fault.
    pub fn of_library(reason: &str) -> Self {
        Self { reason: brief(reason), fault: Fault::Library }
    }

    /// The machine's.
    pub fn of_machine(reason: &str) -> Self {
        Self { reason: brief(reason), fault: Fault::Machine }
    }
}

/// Examines a library.
///
/// # Errors
/// Why it may not serve.
pub fn probe(subject: &Subject) -> Result<Manifest, Unfit> {
    let at_work = Arc::new(Mutex::new(OPENED.to_owned()));
    let note = {
        let at_work = Arc::clone(&at_work);
        Arc::new(move |event: &Event| {
            if let Event::Examining { claim, .. } = event {
                claim.clone_into(&mut at_work.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })
    };
    let process =
        PluginProcess::start(subject.start(note)).map_err(|error| Unfit::of_machine(&format!("{error:#}")))?;
    let process = Arc::new(process);
    let (sender, receiver) = mpsc::channel();
    let asked = Arc::clone(&process);
    std::thread::spawn(move || {
        // Nobody hears it who has waited too long.
        let _ = sender.send(converse(&asked));
    });
    let answer = receiver.recv_timeout(LIMIT);
    process.end();
    let at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match answer {
        Ok(Ok(manifest)) => Ok(manifest),
        Ok(Err(Ended::Unfit(unfit))) => Err(unfit),
        Ok(Err(Ended::Died(death))) => Err(died(&death, &at_work)),
        Err(_) => {
            let limit = LIMIT.as_secs();
            Err(Unfit::of_machine(&format!("hangs: it has not passed within {limit} s, being {}", doing(&at_work))))
        }
    }
}

/// What a library is at first.
const OPENED: &str = "opened";

enum Ended {
    Unfit(Unfit),
    Died(Death),
}

fn converse(process: &PluginProcess) -> Result<Manifest, Ended> {
    let unfit = |reason: String| Ended::Unfit(Unfit::of_library(&reason));
    let manifest = match process.call(Request::Describe).map_err(Ended::Died)? {
        Reply::Described(json) => read(&json).map_err(unfit)?,
        Reply::Refused { message, .. } => return Err(unfit(format!("cannot say who it is: {message}"))),
        other => return Err(unfit(format!("answered {other:?} when asked who it is"))),
    };
    match process.call(Request::Examine(Depth::Probe)).map_err(Ended::Died)? {
        Reply::Examined(findings) => match broken(&findings) {
            None => Ok(manifest),
            Some(reason) => Err(unfit(reason)),
        },
        other => Err(unfit(format!("answered {other:?} when examined"))),
    }
}

/// A manifest that the host can work with.
///
/// # Errors
/// All that is wrong with it.
pub fn read(json: &str) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_str(json).map_err(|error| format!("has a manifest that cannot be read: {error}"))?;
    match manifest.check() {
        Ok(()) => Ok(manifest),
        Err(problems) => Err(format!("has a manifest that makes no sense: {}", problems.join("; "))),
    }
}

/// The claims that do not hold, a line each; `None` where all do.
fn broken(findings: &[Finding]) -> Option<String> {
    let lines = findings.iter().filter_map(|finding| match &finding.verdict {
        Verdict::Broken { reason } => Some(format!("breaks `{}`: {}", finding.claim, reason.replace('\n', "; "))),
        Verdict::Holds | Verdict::Inapplicable { .. } => None,
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn died(death: &Death, at_work: &str) -> Unfit {
    let fault = match death.manner {
        Manner::Unusable => return Unfit::of_library(&death.cause),
        Manner::LacksLibrary => return Unfit { reason: brief(&death.cause), fault: Fault::Wants },
        Manner::Silent | Manner::OutOfMemory => Fault::Machine,
        // Nobody but the system or its owner kills without asking.
        Manner::ByItself if death.cause.starts_with("signal 9") => Fault::Machine,
        // The host's own word for that it could not even begin: no thread, no memory.
        Manner::ByItself if at_work == OPENED && death.cause == "exit code 1" => Fault::Machine,
        Manner::ByItself => Fault::Library,
    };
    let said: Vec<_> = death.stderr.iter().rev().filter(|line| !line.trim().is_empty()).take(2).collect();
    let said: String = said.into_iter().rev().map(|line| format!("\n{line}")).collect();
    let reason = format!("ended its process ({}), being {}{said}", death.cause, doing(at_work));
    Unfit { reason: brief(&reason), fault }
}

fn doing(at_work: &str) -> String {
    if at_work == OPENED { at_work.to_owned() } else { format!("examined for `{at_work}`") }
}

/// What a person can take in.
fn brief(reason: &str) -> String {
    let (n_lines, n_chars) = LONGEST_REASON;
    let lines = reason.lines().map(str::trim).filter(|line| !line.is_empty()).take(n_lines);
    lines.map(|line| line.chars().take(n_chars).collect()).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oculus_plugin_api::Param;

    use super::*;

    #[test]
    fn a_manifest_that_makes_no_sense_is_refused_with_all_reasons() {
        let sound = Manifest::new("third-party", "1.0.0").param(Param::float("rate", 0.5).range(0, 1));
        assert_eq!(read(&serde_json::to_string(&sound).unwrap()).unwrap(), sound);
        let broken = sound.param(Param::choice("kind", "a", [])).rounds_param("rate");
        let refusal = read(&serde_json::to_string(&broken).unwrap()).unwrap_err();
        let reasons = "kind: no choices, needed at least one; rounds_param rate: needed a whole number";
        assert!(refusal.starts_with(&format!("has a manifest that makes no sense: {reasons}")), "{refusal}");
    }

    #[test]
    fn a_reason_has_three_lines_at_most() {
        let long = format!("first\n\n  second\nthird {}\nfourth", "x".repeat(1000));
        let brief = Unfit::of_library(&long).reason;
        assert_eq!(brief.lines().count(), 3);
        assert!(brief.starts_with("first\nsecond\nthird xx") && brief.len() < 400, "{brief}");
    }
}
