//! The result object of a job that did not succeed. The result of a successful job is the report of
//! the pipeline.
//!
//! In: a [`JobError`], or the JSON of a result. Out: JSON, or a [`FailedResult`].
//! Invariant: the field names are the wire format and never change.

mod empty;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::empty::EmptyOutputs;
use crate::code::ErrorCode;
use crate::error::{JobError, JobErrorKind};
use crate::progress::Phase;
use crate::request::design_config::{ContractConfig, schema_without_model};

/// The outcome of a job: the field `status` of every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
///
/// Its JSON has every top-level field of a successful result as well, so that a backend can read
/// both into one type. See [`FailedResult::to_json`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedResult {
    /// `build_id` of the job, or its `job_id` if it has no `build_id`.
    #[schemars(extend("x-contract" = true))]
    pub build_id: String,
    /// Outcome of the job.
    #[schemars(extend("x-contract" = true, "enum" = [ResultStatus::Failed, ResultStatus::Cancelled]))]
    pub status: ResultStatus,
    /// Phase in which the job stopped.
    #[schemars(extend("x-contract" = true))]
    pub phase: Phase,
    /// Reason that the job has no model.
    pub error: ErrorReport,
    /// Configuration of the job with all defaults. If the job could not be parsed, the fields of the
    /// contract with the backend are empty, and the other fields are absent.
    #[schemars(schema_with = "schema_without_model", extend("x-contract" = true))]
    pub design_config: Value,
}

impl FailedResult {
    /// Creates the result of a failed or cancelled job.
    ///
    /// * `design_config`: the job's configuration with all defaults; `None` if the job could not be
    ///   parsed.
    pub fn new(failure: &JobError, build_id: &str, design_config: Option<Value>) -> Self {
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
        Self {
            build_id: build_id.to_owned(),
            status,
            phase: failure.phase,
            error,
            design_config: design_config.unwrap_or_else(|| json!(ContractConfig::default())),
        }
    }

    /// Returns the result object for the backend. It has every top-level field of a successful
    /// result. Fields of the contract with the backend have its types; all others are empty or null.
    pub fn to_json(&self) -> Value {
        json!(CompleteFailedResult { failed: self, outputs: EmptyOutputs::default() })
    }
}

/// The result object of a job without a model, with every top-level field of a successful result.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CompleteFailedResult<'a> {
    /// The reason, and what is known of the job.
    #[serde(flatten)]
    pub failed: &'a FailedResult,
    /// The fields that only a model can fill.
    #[serde(flatten)]
    pub outputs: EmptyOutputs,
}

/// The field `error` of a result: the reason that the job has no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// Kind of the failure: refused, failed or cancelled.
    pub kind: JobErrorKind,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// Message for people: what was found, and what was expected.
    pub message: String,
    /// The remedy, for people.
    pub hint: String,
    /// True if the job can succeed when it is pushed again without a change.
    pub retryable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Job;

    fn result(design_config: Option<Value>) -> Value {
        let failure = JobError::failed(Phase::DataFetch, ErrorCode::NoBars, "none", "add some");
        FailedResult::new(&failure, "b", design_config).to_json()
    }

    #[test]
    fn the_configuration_of_an_unreadable_job_has_the_fields_and_types_of_the_contract() {
        let job = Job::parse(r#"{"build_id": "b", "symbols": ["A"]}"#).unwrap();
        let full = job.design_config();
        let unreadable = result(None);
        let unreadable = unreadable["design_config"].as_object().unwrap();
        assert_eq!(unreadable.len(), 7);
        for (name, value) in unreadable {
            assert_eq!(std::mem::discriminant(value), std::mem::discriminant(&full[name]), "{name}");
        }
        assert_eq!(result(Some(full.clone()))["design_config"], full);
    }

    #[test]
    fn the_metrics_of_a_job_without_a_model_are_numbers_with_a_reason_each() {
        let metrics = &result(None)["model_metrics"];
        for name in ["f1", "precision", "recall", "auc"] {
            assert_eq!(metrics[name].as_f64(), Some(0.0), "{name}");
            assert!(metrics["reasons"][name].is_string(), "{name}");
        }
    }

    #[test]
    fn a_result_without_the_empty_fields_can_be_read() {
        let full = result(None);
        let older = json!({ "build_id": "b", "status": "failed", "phase": "data_fetch", "error": full["error"],
            "design_config": null });
        for result in [&full, &older] {
            assert_eq!(FailedResult::deserialize(result).unwrap().error.code, ErrorCode::NoBars);
        }
    }
}
