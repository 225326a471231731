//! From the payload's text to a checked job.
//!
//! In: the text, or its JSON. Out: a [`Job`], or one refusal that names its problems. Invariant: a job that has a
//! problem is refused.

use serde_json::Value;

use super::cursor::{Cursor, Problems};
use super::job::Job;
use super::read;
use crate::code::ErrorCode;
use crate::failure::Failure;
use crate::progress::Phase;

/// Longest payload that is read, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 5_000_000;
/// Problems that a refusal names; the rest is counted.
const MAX_NAMED_PROBLEMS: usize = 20;

impl Job {
    /// Reads and checks a job.
    ///
    /// # Errors
    /// A refusal in phase `queued`: `payload_too_large`, `malformed_json`, or `invalid_job`, whose message names every
    /// problem by path, with what was found and what was needed.
    pub fn parse(payload: &str) -> Result<Self, Failure> {
        Self::from_value(&parse_payload(payload)?)
    }

    /// Checks a job whose payload [`parse_payload`] has read.
    ///
    /// # Errors
    /// A refusal in phase `queued`, `invalid_job`, like [`Job::parse`].
    pub fn from_value(payload: &Value) -> Result<Self, Failure> {
        let problems = Problems::default();
        let job = read::job(&Cursor::root(payload, &problems));
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

/// Parses the text of a job as JSON, without checking its fields.
///
/// # Errors
/// A refusal in phase `queued`: `payload_too_large` or `malformed_json`.
pub fn parse_payload(payload: &str) -> Result<Value, Failure> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        let message = format!("the job has {} bytes, at most {MAX_PAYLOAD_BYTES} are read", payload.len());
        return Err(refused(ErrorCode::PayloadTooLarge, message, "send the design only, without data"));
    }
    serde_json::from_str(payload).map_err(|error| {
        refused(
            ErrorCode::MalformedJson,
            format!("the job is not JSON: {error}"),
            "send one JSON object, as docs/job.md shows",
        )
    })
}

fn refused(code: ErrorCode, message: impl Into<String>, hint: &str) -> Failure {
    Failure::refused(Phase::Queued, code, message, hint)
}

fn name_problems(problems: &[String]) -> String {
    let mut named = problems[..problems.len().min(MAX_NAMED_PROBLEMS)].join("; ");
    if problems.len() > MAX_NAMED_PROBLEMS {
        named.push_str(&format!("; and {} more", problems.len() - MAX_NAMED_PROBLEMS));
    }
    named
}
