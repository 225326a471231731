//! The failure of a job: the reason that it has no model.
//!
//! In: a phase, a code, and texts for people. Out: a [`JobError`]. Invariant: programs read only
//! `kind`, `code` and `retryable`, because the texts can change in any release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::{ErrorCode, Retryable};
use crate::progress::Phase;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobErrorKind {
    /// The job requests something impossible. A retry without a change fails again.
    Refused,
    /// The job is valid, but its execution failed.
    Failed,
    /// A user cancelled the job.
    Cancelled,
}

/// The reason that a job has no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// Kind of the failure: refused, failed or cancelled.
    pub kind: JobErrorKind,
    /// The phase in which the job stopped.
    pub phase: Phase,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// Message for people, with the found value and the expected one.
    pub message: String,
    /// The remedy, for people.
    pub hint: String,
    /// True if the job can succeed when it is pushed again without a change.
    pub retryable: bool,
}

impl JobError {
    /// Creates the failure of a job that requests something impossible.
    pub fn refused(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(JobErrorKind::Refused, phase, code, message.into(), hint.into())
    }

    /// Creates the failure of a valid job whose execution failed.
    pub fn failed(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(JobErrorKind::Failed, phase, code, message.into(), hint.into())
    }

    /// Creates the failure of a job that was cancelled on request.
    pub fn cancelled(phase: Phase) -> Self {
        let message = "the job was cancelled on request".to_owned();
        let hint = "push the job again to run it".to_owned();
        Self::new(JobErrorKind::Cancelled, phase, ErrorCode::Cancelled, message, hint)
    }

    /// Marks the failure as retryable. Call it only for a code with [`Retryable::Sometimes`]. Every
    /// other code is either always or never retryable.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn new(kind: JobErrorKind, phase: Phase, code: ErrorCode, message: String, hint: String) -> Self {
        let retryable = code.retryable() == Retryable::Yes;
        Self { kind, phase, code, message, hint, retryable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_determines_whether_a_failure_is_retryable() {
        for &code in ErrorCode::ALL {
            let expected = code.retryable() == Retryable::Yes;
            for failure in
                [JobError::failed(Phase::Queued, code, "", ""), JobError::refused(Phase::Queued, code, "", "")]
            {
                assert_eq!(failure.retryable, expected, "{code}");
            }
        }
        assert!(!JobError::cancelled(Phase::Queued).retryable);
    }

    #[test]
    fn a_failure_with_a_code_that_is_sometimes_retryable_can_be_marked() {
        let code = ErrorCode::UnreadableBars;
        assert_eq!(code.retryable(), Retryable::Sometimes);
        assert!(JobError::failed(Phase::DataFetch, code, "", "").retryable().retryable);
    }
}
