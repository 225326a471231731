//! Why a job ended without a model, in the form that the backend reads.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::code::ErrorCode;
use crate::progress::Phase;
use crate::result::{FailedResult, ResultError, ResultStatus};

/// What kind of ending a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The job asks for something that cannot be done; asking again changes nothing.
    Refused,
    /// The job was fine, the work was not.
    Failed,
    /// Somebody asked for the end.
    Cancelled,
}

/// An ending without a model: what was found, what was needed, what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Refused, failed or cancelled.
    pub kind: Kind,
    /// Where the job stood.
    pub phase: Phase,
    /// A stable word for programs.
    pub code: ErrorCode,
    /// What was found and what was needed, for people.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Whether the same job may succeed later without a change.
    pub retryable: bool,
}

impl Failure {
    /// A job that cannot be done as it is written.
    pub fn refused(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Refused, phase, code, message.into(), hint.into())
    }

    /// Work that broke.
    pub fn failed(phase: Phase, code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Failed, phase, code, message.into(), hint.into())
    }

    /// Work that was ended on request.
    pub fn cancelled(phase: Phase) -> Self {
        let (message, hint) = ("the job was cancelled on request", "push the job again to run it");
        Self::new(Kind::Cancelled, phase, ErrorCode::Cancelled, message.to_owned(), hint.to_owned())
    }

    /// The same failure, worth another try.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn new(kind: Kind, phase: Phase, code: ErrorCode, message: String, hint: String) -> Self {
        Self { kind, phase, code, message, hint, retryable: false }
    }

    /// Returns the result object of a job that ended so.
    ///
    /// * `design_config`: the configuration as far as it was read, or null.
    pub fn to_result(&self, build_id: &str, design_config: Value) -> Value {
        let error = ResultError {
            kind: self.kind,
            code: self.code,
            message: self.message.clone(),
            hint: self.hint.clone(),
            retryable: self.retryable,
        };
        let status = match self.kind {
            Kind::Cancelled => ResultStatus::Cancelled,
            Kind::Refused | Kind::Failed => ResultStatus::Failed,
        };
        json!(FailedResult { build_id: build_id.to_owned(), status, phase: self.phase, error, design_config })
    }
}
