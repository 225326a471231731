//! Why a plugin process is gone, in words that a result can carry.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use oculus_pipeline::fitter::FitError;
use oculus_system::control;

/// Why a process is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Whether it ended by itself.
    pub manner: Manner,
    /// Signal or exit code in words, what the process itself said, or the limit that it went over.
    pub cause: String,
    /// Last lines on its stdout.
    pub stdout: Vec<String>,
    /// Last lines on its stderr.
    pub stderr: Vec<String>,
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// By a signal, an exit, or a word that is none.
    ByItself,
    /// By its own word: the library cannot be used.
    Unusable,
    /// By its own word: the library wants a shared library, which may be installed.
    LacksLibrary,
    /// Killed: it told nothing for too long.
    Silent,
    /// Killed: it used too much memory.
    OutOfMemory,
}

impl Manner {
    /// Whether a second process may fare better. One that went over a limit would only meet it
    /// again, and a library that cannot be used stays so.
    pub fn is_worth_a_restart(self) -> bool {
        self == Self::ByItself
    }

    fn setting(self) -> Option<&'static str> {
        match self {
            Self::ByItself | Self::Unusable | Self::LacksLibrary => None,
            Self::Silent => Some("PLUGIN_SILENCE_SECONDS"),
            Self::OutOfMemory => Some("PLUGIN_MEMORY_MB"),
        }
    }
}

impl From<Death> for FitError {
    fn from(Death { manner, cause, stderr, .. }: Death) -> Self {
        let cause = match manner.setting() {
            Some(setting) => format!("{cause}; {setting} sets this"),
            None => cause,
        };
        Self::Died { cause, stderr }
    }
}

/// `signal 11 (SIGSEGV)` or `exit code 3`.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal} ({})", control::signal_name(signal)),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_a_limit_names_the_setting() {
        let died = |manner, cause: &str| {
            FitError::from(Death { manner, cause: cause.to_owned(), stdout: vec![], stderr: vec!["last".to_owned()] })
                .to_string()
        };
        let hung = died(Manner::Silent, "told nothing for 9 s and was killed");
        assert!(hung.contains("(told nothing for 9 s and was killed; PLUGIN_SILENCE_SECONDS sets this)"), "{hung}");
        assert!(died(Manner::OutOfMemory, "used more").contains("PLUGIN_MEMORY_MB sets this"));
        assert_eq!(died(Manner::ByItself, "signal 9"), "the plugin process died (signal 9); its last words: last");
    }

    #[test]
    fn a_status_is_told_by_its_signal_or_its_code() {
        assert_eq!(in_words(ExitStatus::from_raw(11)), "signal 11 (SIGSEGV)");
        assert_eq!(in_words(ExitStatus::from_raw(3 << 8)), "exit code 3");
    }
}
