//! The cause of a process's exit.
//!
//! In: an exit status. Out: an [`ExitCause`] and its text. Invariant: code compares the variants
//! and never parses the text.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The cause of a process's exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCause {
    /// A signal killed the process. The value is the number of the signal.
    Signal(i32),
    /// The process exited. The value is its exit code.
    Code(i32),
}

impl ExitCause {
    /// Returns the number of the signal that killed the process, or `None` if the process exited.
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::Code(_) => None,
        }
    }

    /// Returns the exit code if the process exited.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Signal(_) => None,
            Self::Code(code) => Some(code),
        }
    }
}

impl From<ExitStatus> for ExitCause {
    fn from(status: ExitStatus) -> Self {
        match (status.signal(), status.code()) {
            (Some(signal), _) => Self::Signal(signal),
            // A status that has neither a signal nor a code belongs to a stopped process. `wait`
            // does not return such a status, so the default is never used.
            (None, code) => Self::Code(code.unwrap_or_default()),
        }
    }
}

impl fmt::Display for ExitCause {
    /// Writes `signal 11 (SIGSEGV)` or `exit code 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "signal {signal} ({})", signal_name(*signal)),
            Self::Code(code) => write!(f, "exit code {code}"),
        }
    }
}

/// Returns the name of a signal that can kill a process, or `unnamed`.
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 if cfg!(target_os = "linux") => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 if cfg!(target_os = "macos") => "SIGBUS",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => "unnamed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_displayed_as_a_signal_or_an_exit_code() {
        assert_eq!(ExitCause::from(ExitStatus::from_raw(11)).to_string(), "signal 11 (SIGSEGV)");
        assert_eq!(ExitCause::from(ExitStatus::from_raw(3 << 8)).to_string(), "exit code 3");
    }
}
