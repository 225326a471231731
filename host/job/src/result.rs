//! The result object of a job that did not succeed. The result of a successful job is the report of
//! the pipeline.
//!
//! In: a [`JobError`], or the JSON of a result. Out: JSON, or a [`FailedResult`].
//! Invariant: the field names are the wire format and never change.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::code::ErrorCode;
use crate::error::{JobError, JobErrorKind};
use crate::progress::Phase;

/// The outcome of a job: the field `status` of every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultStatus {
    /// The job has a model.
    Success,
    /// The job was refused or failed. The field `error` has the reason.
    Failed,
    /// The job was cancelled on request.
    Cancelled,
}

impl ResultStatus {
    /// Returns the name of the status in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The result of a job without a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedResult {
    /// The job's id.
    pub build_id: String,
    /// The outcome of the job.
    pub status: ResultStatus,
    /// The phase in which the job stopped.
    pub phase: Phase,
    /// The reason that the job has no model.
    pub error: ErrorReport,
    /// The job's configuration with all defaults, or null if the job could not be parsed.
    pub design_config: Value,
}

impl FailedResult {
    /// Creates the result of a failed or cancelled job.
    ///
    /// * `design_config`: the job's configuration with all defaults, or null if the job could not
    ///   be parsed.
    pub fn new(failure: &JobError, build_id: &str, design_config: Value) -> Self {
        let error = ErrorReport {
            kind: failure.kind,
            code: failure.code,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            retryable: failure.retryable,
        };
        let status = match failure.kind {
            JobErrorKind::Cancelled => ResultStatus::Cancelled,
            JobErrorKind::Refused | JobErrorKind::Failed => ResultStatus::Failed,
        };
        Self { build_id: build_id.to_owned(), status, phase: failure.phase, error, design_config }
    }

    /// Returns the result object for the backend.
    pub fn to_json(&self) -> Value {
        json!(self)
    }
}

/// The field `error` of a result: the reason that the job has no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Kind of the failure: refused, failed or cancelled.
    pub kind: JobErrorKind,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// Message for people, with the found value and the expected one.
    pub message: String,
    /// The remedy, for people.
    pub hint: String,
    /// True if the job can succeed when it is pushed again without a change.
    pub retryable: bool,
}
