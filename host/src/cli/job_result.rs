//! Parses the result object of a job, and derives the exit code from it.

use std::process::ExitCode;

use oculus_job::error::JobErrorKind;
use oculus_job::result::{FailedResult, ResultStatus};
use oculus_pipeline::report::Report;
use serde::Deserialize;
use serde_json::Value;

use super::exit_code;

/// A parsed result object.
pub(super) enum JobResult {
    /// The report of a successful job.
    Success(Box<Report>),
    /// The result of a failed, refused or cancelled job.
    Failed(Box<FailedResult>),
}

impl JobResult {
    /// Parses a result object.
    ///
    /// # Errors
    /// Returns an error if a field is missing or has another type, for example in the result of
    /// another version.
    pub(super) fn from_json(result: &Value) -> serde_json::Result<Self> {
        match ResultHead::deserialize(result)?.status {
            ResultStatus::Success => Ok(Self::Success(Box::new(Report::from_json(result)?))),
            ResultStatus::Failed | ResultStatus::Cancelled => {
                Ok(Self::Failed(Box::new(FailedResult::deserialize(result)?)))
            }
        }
    }
}

/// Returns the exit code for a result: 0 for a success, 3 for a refused job, 1 for any other
/// result.
pub(super) fn result_exit_code(result: &Value) -> ExitCode {
    match ResultHead::deserialize(result) {
        Ok(ResultHead { status: ResultStatus::Success, .. }) => ExitCode::SUCCESS,
        Ok(ResultHead { error: Some(ErrorHead { kind: JobErrorKind::Refused }), .. }) => {
            ExitCode::from(exit_code::REFUSED)
        }
        // Cancelled jobs and results that cannot be parsed are failures too.
        _ => ExitCode::FAILURE,
    }
}

/// The fields of a result that the exit code depends on.
// These fields are parsed separately, so the exit code is right even if this version cannot parse
// the rest of the result.
#[derive(Deserialize)]
struct ResultHead {
    status: ResultStatus,
    error: Option<ErrorHead>,
}

#[derive(Deserialize)]
struct ErrorHead {
    kind: JobErrorKind,
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
            assert_eq!(result_exit_code(&result), code, "{result}");
        }
    }
}
