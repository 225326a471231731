//! The outcome of a claim, as the queue stores it.
//!
//! The serialized names must not change, because files in the spool contain them and a later
//! version must be able to read these files.

use std::sync::LazyLock;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use serde::{Deserialize, Serialize};

/// The outcome of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClaimOutcome {
    /// The job has a result: a success or a failure.
    Result {
        /// The texts that the backend reads.
        #[serde(rename = "answer")]
        message: ResultMessage,
        /// The SHA-256 of the payload if the job succeeded.
        succeeded: Option<String>,
        /// The entry of the ledger of submissions if the job succeeded. Results on disk from an older
        /// version lack it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submission: Option<LedgerEntry>,
    },
    /// The entry returns to the queue, and this attempt is not counted.
    Release,
    /// The job process died. The script counts the crash. Then it requeues the entry or, at the
    /// maximum number of crashes, makes it a dead letter. The texts for both cases are needed,
    /// because only the script knows the count.
    Crash {
        /// The progress event to publish if the entry is requeued.
        requeued: String,
        /// The dead letter to write if the maximum is reached.
        letter: DeadLetter,
        /// The texts that the backend reads if the maximum is reached.
        #[serde(rename = "answer")]
        message: ResultMessage,
    },
    /// The entry cannot become a job.
    Dead {
        /// The dead letter.
        letter: DeadLetter,
        /// The texts that the backend reads; written only if an id could be read.
        #[serde(rename = "answer")]
        message: ResultMessage,
    },
}

impl ClaimOutcome {
    /// Returns the texts that the backend reads; empty for a release.
    pub fn message(&self) -> &ResultMessage {
        static EMPTY: LazyLock<ResultMessage> = LazyLock::new(ResultMessage::default);
        match self {
            Self::Release => &EMPTY,
            Self::Result { message, .. } | Self::Crash { message, .. } | Self::Dead { message, .. } => message,
        }
    }
}

/// A submission, as an entry of a hash in Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The key of the hash: the ledger of a user and a timeframe.
    pub key: String,
    /// The identity of the submission. An existing field is never replaced.
    pub field: String,
    /// The submission as JSON.
    pub value: String,
}

/// The texts that the backend reads when a job has finished, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultMessage {
    /// The result object.
    pub result: String,
    /// The final event on the progress channel.
    pub event: String,
}

/// A dead letter without its entry, id and time, which the queue adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The error code of the job's result.
    pub reason: ErrorCode,
    /// The cause, as a sentence for people.
    pub message: String,
    /// The remedy, as a sentence for people.
    pub hint: String,
    /// The exit code of the job process, if it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that killed the job process, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The last lines that the job process printed.
    pub last_lines: String,
}

impl DeadLetter {
    /// Creates a dead letter without texts.
    pub fn new(reason: ErrorCode) -> Self {
        Self {
            reason,
            message: String::new(),
            hint: String::new(),
            exit_code: None,
            signal: None,
            last_lines: String::new(),
        }
    }
}

impl From<&JobError> for DeadLetter {
    fn from(failure: &JobError) -> Self {
        Self { message: failure.message.clone(), hint: failure.hint.clone(), ..Self::new(failure.code) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_unchanged_by_json_and_its_reason_is_an_error_code() {
        let letter = DeadLetter { signal: Some(9), ..DeadLetter::new(ErrorCode::JobCrashed) };
        let json = serde_json::to_string(&letter).unwrap();
        assert_eq!(json, r#"{"reason":"job_crashed","message":"","hint":"","signal":9,"last_lines":""}"#);
        assert_eq!(serde_json::from_str::<DeadLetter>(&json).unwrap(), letter);
    }
}
