//! The reasons why a plugin process terminated.

use std::fmt;
use std::time::Duration;

use oculus_pipeline::fitter::FitError;
use oculus_system::child::ExitCause;

/// The termination of a plugin process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The cause of the termination.
    pub cause: DeathCause,
    /// The last lines of its stdout.
    pub stdout: Vec<String>,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
}

/// The cause of the termination of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeathCause {
    /// The process exited, or a signal killed it.
    Exited(ExitCause),
    /// The process exited or was killed, but the system does not report how. Contains the system's
    /// error.
    Unknown(String),
    /// The process sent a message that cannot be parsed. Contains the parser's error.
    Malformed(String),
    /// The process reported that its library cannot be used. Contains the reason.
    Unusable(String),
    /// The process reported that its library cannot be used at present, because a shared library or
    /// a resource is missing. Contains the reason.
    MissingLibrary(String),
    /// The host killed the process because it sent nothing for this long.
    Silent(Duration),
    /// The host or the kernel killed the process because it used more memory than this many bytes.
    OutOfMemory(u64),
}

impl DeathCause {
    /// Returns whether a restarted process may succeed. A process that exceeded a limit would
    /// exceed it again, and a library that cannot be used stays unusable.
    pub fn is_restartable(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::Unknown(_) | Self::Malformed(_))
    }

    /// Returns the name of the setting that contains the exceeded limit, or `None` if no limit was
    /// exceeded.
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
            Self::Malformed(error) => write!(f, "sent an invalid message: {error}"),
            Self::Unknown(reason) | Self::Unusable(reason) | Self::MissingLibrary(reason) => f.write_str(reason),
            Self::Silent(limit) => write!(f, "sent nothing for {} s and was killed", limit.as_secs()),
            Self::OutOfMemory(limit_bytes) => write!(f, "used more than {} MiB and was killed", limit_bytes >> 20),
        }
    }
}

impl From<Death> for FitError {
    fn from(Death { cause, stderr, .. }: Death) -> Self {
        let cause = match cause.setting() {
            Some(setting) => format!("{cause}; {setting} sets the limit"),
            None => cause.to_string(),
        };
        Self::Died { cause, stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_an_exceeded_limit_names_the_setting() {
        let cause_of_fit_error = |cause| {
            let death = Death { cause, stdout: vec![], stderr: vec!["last".to_owned()] };
            let FitError::Died { cause, stderr } = FitError::from(death) else { panic!("expected FitError::Died") };
            assert_eq!(stderr, ["last"]);
            cause
        };
        let hung = cause_of_fit_error(DeathCause::Silent(Duration::from_secs(9)));
        assert_eq!(hung, "sent nothing for 9 s and was killed; PLUGIN_SILENCE_SECONDS sets the limit");
        let too_large = DeathCause::OutOfMemory(1 << 28);
        assert_eq!(too_large.setting(), Some("PLUGIN_MEMORY_MB"));
        assert!(cause_of_fit_error(too_large).contains("PLUGIN_MEMORY_MB"));
        let killed = ExitCause::Signal(9);
        assert_eq!(cause_of_fit_error(DeathCause::Exited(killed)), killed.to_string());
    }
}
