//! Why a job ended without a model.
//!
//! In: a phase, a code, and texts for people. Out: a [`Failure`].
//! Invariant: programs decide by `kind`, `code` and `retryable`; the texts may change in any
//! release.

use serde::{Deserialize, Serialize};

use crate::code::{ErrorCode, Retryable};
use crate::progress::Phase;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The job requests something that cannot be done; a retry changes nothing.
    Refused,
    /// The job is valid, but its execution failed.
    Failed,
    /// A user cancelled the job.
    Cancelled,
}

/// The reason that a job has no model: what was found, what was needed, what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Refused, failed or cancelled.
    pub kind: Kind,
    /// The phase in which the job ended.
    pub phase: Phase,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// The finding and the requirement, for people.
    pub message: String,
    /// The remedy.
    pub hint: String,
    /// Whether the same job may succeed later without a change.
    pub retryable: bool,
}

impl Failure {
    /// Creates the failure of a job that cannot be done as it is written.
    pub fn refused(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Refused, phase, code, message.into(), hint.into())
    }

    /// Creates the failure of a valid job whose execution failed.
    pub fn failed(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Failed, phase, code, message.into(), hint.into())
    }

    /// Creates the failure of a job that was cancelled on request.
    pub fn cancelled(phase: Phase) -> Self {
        let message = "the job was cancelled on request".to_owned();
        let hint = "push the job again to run it".to_owned();
        Self::new(Kind::Cancelled, phase, ErrorCode::Cancelled, message, hint)
    }

    /// Marks the failure as retryable: the same job may succeed later. Only a code that is retryable sometimes needs it;
    /// the others decide by themselves.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn new(kind: Kind, phase: Phase, code: ErrorCode, message: String, hint: String) -> Self {
        let retryable = code.retryable() == Retryable::Yes;
        Self { kind, phase, code, message, hint, retryable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_whether_a_failure_is_retryable() {
        for &code in ErrorCode::ALL {
            let expected = code.retryable() == Retryable::Yes;
            for failure in [Failure::failed(Phase::Queued, code, "", ""), Failure::refused(Phase::Queued, code, "", "")]
            {
                assert_eq!(failure.retryable, expected, "{code}");
            }
        }
        assert!(!Failure::cancelled(Phase::Queued).retryable);
    }

    #[test]
    fn a_failure_whose_code_is_retryable_sometimes_can_be_marked() {
        let code = ErrorCode::UnreadableBars;
        assert_eq!(code.retryable(), Retryable::Sometimes);
        assert!(Failure::failed(Phase::DataFetch, code, "", "").retryable().retryable);
    }
}
