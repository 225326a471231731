//! The result object of a job that did not succeed; a successful job's result is the pipeline's
//! report.
//!
//! In: a [`Failure`], or JSON of a result. Out: JSON, or a
//! [`FailedResult`].
//! Invariant: the field names are the wire format and never change.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::code::ErrorCode;
use crate::failure::{Failure, Kind};
use crate::progress::Phase;

/// How a job ended: the field `status` of every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultStatus {
    /// The job has a model.
    Success,
    /// The job was refused or failed; `error` states why.
    Failed,
    /// The job was cancelled on request.
    Cancelled,
}

impl ResultStatus {
    /// Returns the name on the wire.
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
    /// How it ended.
    pub status: ResultStatus,
    /// The phase in which it ended.
    pub phase: Phase,
    /// Why it ended.
    pub error: ResultError,
    /// The configuration as far as it was read, or null.
    pub design_config: Value,
}

impl FailedResult {
    /// Creates the result of a job that ended with this failure.
    ///
    /// * `design_config`: the configuration as far as it was read, or null.
    pub fn new(failure: &Failure, build_id: &str, design_config: Value) -> Self {
        let error = ResultError {
            kind: failure.kind,
            code: failure.code,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            retryable: failure.retryable,
        };
        let status = match failure.kind {
            Kind::Cancelled => ResultStatus::Cancelled,
            Kind::Refused | Kind::Failed => ResultStatus::Failed,
        };
        Self { build_id: build_id.to_owned(), status, phase: failure.phase, error, design_config }
    }

    /// Returns the result object that the backend reads.
    pub fn to_json(&self) -> Value {
        json!(self)
    }
}

/// Why a job ended without a model: what was found, what was needed, what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultError {
    /// Refused, failed or cancelled.
    pub kind: Kind,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// The finding and the requirement, for people.
    pub message: String,
    /// The remedy.
    pub hint: String,
    /// Whether the same job may succeed later without a change.
    pub retryable: bool,
}
