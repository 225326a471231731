//! A result object, read back as the type that wrote it.

use std::process::ExitCode;

use oculus_job::failure::Kind;
use oculus_job::result::{FailedResult, ResultStatus};
use oculus_pipeline::report::Report;
use serde::Deserialize;
use serde_json::Value;

use super::exit_code;

/// The result of a job.
pub(super) enum JobResult {
    /// The report of a successful job.
    Success(Box<Report>),
    /// The result of a job without a model.
    Failed(Box<FailedResult>),
}

impl JobResult {
    /// Reads a result object.
    ///
    /// # Errors
    /// A field that is missing or of another type, as in the result of another version.
    pub(super) fn from_json(result: &Value) -> serde_json::Result<Self> {
        match ResultHead::deserialize(result)?.status {
            ResultStatus::Success => Ok(Self::Success(Box::new(Report::from_json(result)?))),
            ResultStatus::Failed | ResultStatus::Cancelled => {
                Ok(Self::Failed(Box::new(FailedResult::deserialize(result)?)))
            }
        }
    }
}

/// Returns the exit code for a result: 0 for a success, 3 for a refused job, 1 for any other.
pub(super) fn exit_code_of(result: &Value) -> ExitCode {
    match ResultHead::deserialize(result) {
        Ok(ResultHead { status: ResultStatus::Success, .. }) => ExitCode::SUCCESS,
        Ok(ResultHead { error: Some(ErrorHead { kind: Kind::Refused }), .. }) => ExitCode::from(exit_code::REFUSED),
        _ => ExitCode::FAILURE,
    }
}

/// The fields that every version of a result has.
#[derive(Deserialize)]
struct ResultHead {
    status: ResultStatus,
    error: Option<ErrorHead>,
}

#[derive(Deserialize)]
struct ErrorHead {
    kind: Kind,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_code_distinguishes_success_failure_and_refusal() {
        for (result, code) in [
            (json!({ "status": "success" }), ExitCode::SUCCESS),
            (json!({ "status": "failed", "error": { "kind": "failed" } }), ExitCode::FAILURE),
            (json!({ "status": "failed", "error": { "kind": "refused" } }), ExitCode::from(3)),
            (json!({ "status": "cancelled" }), ExitCode::FAILURE),
            (json!("not a result"), ExitCode::FAILURE),
        ] {
            assert_eq!(exit_code_of(&result), code, "{result}");
        }
    }
}
