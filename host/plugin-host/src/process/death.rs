//! Why a plugin process has ended.

use std::fmt;
use std::time::Duration;

use oculus_pipeline::fitter::FitError;
use oculus_system::child::ExitCause;

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Why it ended.
    pub cause: DeathCause,
    /// Last lines on its stdout.
    pub stdout: Vec<String>,
    /// Last lines on its stderr.
    pub stderr: Vec<String>,
}

/// Why a process has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeathCause {
    /// By itself, or by a signal.
    Exited(ExitCause),
    /// By itself or by a signal, which the system does not report.
    Unknown(String),
    /// It sent a message that cannot be parsed.
    Malformed(String),
    /// It reported that its library cannot be used.
    Unusable(String),
    /// It reported that a shared library is missing, which may be installed.
    MissingLibrary(String),
    /// It was killed because it sent nothing for this long.
    Silent(Duration),
    /// It was killed because it used more memory than this many bytes.
    OutOfMemory(u64),
}

impl DeathCause {
    /// Returns whether a second process may end otherwise. One that exceeded a limit would exceed it again, and a library
    /// that cannot be used stays so.
    pub fn is_worth_a_restart(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::Unknown(_) | Self::Malformed(_))
    }

    /// Returns the variable that sets the limit which was exceeded.
    fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Silent(_) => Some("PLUGIN_SILENCE_SECONDS"),
            Self::OutOfMemory(_) => Some("PLUGIN_MEMORY_MB"),
            Self::Exited(_) | Self::Unknown(_) | Self::Malformed(_) | Self::Unusable(_) | Self::MissingLibrary(_) => {
                None
            }
        }
    }
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(cause) => cause.fmt(f),
            Self::Malformed(error) => write!(f, "said something that is no message: {error}"),
            Self::Unknown(reason) | Self::Unusable(reason) | Self::MissingLibrary(reason) => f.write_str(reason),
            Self::Silent(limit) => write!(f, "told nothing for {} s and was killed", limit.as_secs()),
            Self::OutOfMemory(limit_bytes) => write!(f, "used more than {} MiB and was killed", limit_bytes >> 20),
        }
    }
}

impl From<Death> for FitError {
    fn from(Death { cause, stderr, .. }: Death) -> Self {
        let cause = match cause.setting() {
            Some(setting) => format!("{cause}; {setting} sets this"),
            None => cause.to_string(),
        };
        Self::Died { cause, stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_a_limit_names_the_setting() {
        let cause_of_fit_error = |cause| {
            let death = Death { cause, stdout: vec![], stderr: vec!["last".to_owned()] };
            let FitError::Died { cause, stderr } = FitError::from(death) else { panic!("another variant") };
            assert_eq!(stderr, ["last"]);
            cause
        };
        let hung = cause_of_fit_error(DeathCause::Silent(Duration::from_secs(9)));
        assert_eq!(hung, "told nothing for 9 s and was killed; PLUGIN_SILENCE_SECONDS sets this");
        let too_large = DeathCause::OutOfMemory(1 << 28);
        assert_eq!(too_large.setting(), Some("PLUGIN_MEMORY_MB"));
        assert!(cause_of_fit_error(too_large).contains("PLUGIN_MEMORY_MB"));
        let killed = ExitCause::Signal(9);
        assert_eq!(cause_of_fit_error(DeathCause::Exited(killed)), killed.to_string());
    }
}
