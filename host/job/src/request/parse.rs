//! Parses the text of a payload into a valid job.
//!
//! In: the text, or the JSON parsed from it. Out: a [`Job`], or one failure that names the
//! problems. Invariant: a job with a problem is refused.

use serde_json::Value;

use super::cursor::{Cursor, Problems};
use super::job::Job;
use super::read;
use crate::code::ErrorCode;
use crate::error::JobError;
use crate::json;
use crate::progress::Phase;

/// Maximum size of a payload in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 5_000_000;
/// Maximum number of problems that a message names. For all further problems, the message states
/// only their number.
const MAX_NAMED_PROBLEMS: usize = 20;

impl Job {
    /// Parses and validates a job.
    ///
    /// # Errors
    /// Returns a failure in phase `queued`:
    /// - `payload_too_large` if the text has more than [`MAX_PAYLOAD_BYTES`] bytes.
    /// - `malformed_json` if the text is not valid JSON.
    /// - `invalid_job` if fields are invalid. The message names each invalid field by its path,
    ///   with the found value and the expected one.
    pub fn parse(payload: &str) -> Result<Self, JobError> {
        Self::from_value(&parse_payload(payload)?)
    }

    /// Validates a job whose payload was parsed by [`parse_payload`].
    ///
    /// # Errors
    /// Returns a failure with the code `invalid_job` in phase `queued` if fields are invalid.
    pub fn from_value(payload: &Value) -> Result<Self, JobError> {
        let problems = Problems::default();
        let job = read::job(&Cursor::root(payload, &problems));
        // A job with problems has defaults in place of its invalid values, so it must not be
        // returned.
        match (job, problems.into_vec()) {
            (Some(job), problems) if problems.is_empty() => Ok(job),
            (_, problems) => Err(refused(
                ErrorCode::InvalidJob,
                name_problems(&problems),
                "docs/job.md lists the fields of a job and their ranges",
            )),
        }
    }
}

/// Parses the text of a job as JSON, without validating its fields. Lone surrogates become U+FFFD;
/// fields in which they matter are refused when they are validated.
///
/// # Errors
/// Returns a failure in phase `queued`: `payload_too_large` if the text has more than
/// [`MAX_PAYLOAD_BYTES`] bytes, or `malformed_json` if it is not valid JSON.
pub fn parse_payload(payload: &str) -> Result<Value, JobError> {
    // The size is checked before the text is parsed, so that an enormous payload does not exhaust
    // the memory.
    if payload.len() > MAX_PAYLOAD_BYTES {
        let message = format!("invalid job: found {} bytes, expected at most {MAX_PAYLOAD_BYTES}", payload.len());
        return Err(refused(ErrorCode::PayloadTooLarge, message, "send the design only; do not include market data"));
    }
    json::parse(payload)
        .map_err(|error| refused(ErrorCode::MalformedJson, format!("the job is not valid JSON: {error}"), error.hint()))
}

fn refused(code: ErrorCode, message: impl Into<String>, hint: &str) -> JobError {
    JobError::refused(Phase::Queued, code, message, hint)
}

fn name_problems(problems: &[String]) -> String {
    let mut named = problems[..problems.len().min(MAX_NAMED_PROBLEMS)].join("; ");
    if problems.len() > MAX_NAMED_PROBLEMS {
        named.push_str(&format!("; and {} more", problems.len() - MAX_NAMED_PROBLEMS));
    }
    named
}
