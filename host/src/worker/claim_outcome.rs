//! How a claim ends, as the queue stores it.
//!
//! The field names are those of the files in the result spool, which a later version must be able
//! to read.

use std::sync::LazyLock;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use serde::{Deserialize, Serialize};

/// The end of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClaimOutcome {
    /// The job has a result: a success or a failure.
    Result {
        /// The texts that the backend reads.
        answer: ResultMessage,
        /// SHA-256 of the payload, if it led to a success.
        succeeded: Option<String>,
    },
    /// The entry returns to the queue, and no attempt is counted.
    Release,
    /// The job's process died: the entry returns to the queue or, at the cap, becomes a dead
    /// letter.
    Crash {
        /// The progress event if the entry returns to the queue.
        requeued: String,
        /// The dead letter at the cap.
        letter: DeadLetter,
        /// The texts that the backend reads at the cap.
        answer: ResultMessage,
    },
    /// The entry cannot become a job.
    Dead {
        /// The dead letter.
        letter: DeadLetter,
        /// The texts that the backend reads; written only if an id could be read.
        answer: ResultMessage,
    },
}

impl ClaimOutcome {
    /// Returns the texts that the backend reads; empty for a release.
    pub fn message(&self) -> &ResultMessage {
        static EMPTY: LazyLock<ResultMessage> = LazyLock::new(ResultMessage::default);
        match self {
            Self::Release => &EMPTY,
            Self::Result { answer, .. } | Self::Crash { answer, .. } | Self::Dead { answer, .. } => answer,
        }
    }
}

/// What the backend reads of a job that has ended, as JSON texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultMessage {
    /// The result object.
    pub result: String,
    /// The last event on the progress channel.
    pub event: String,
}

/// Why an entry is a dead letter. The queue adds entry, id and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The error code of the job's result.
    pub reason: ErrorCode,
    /// The cause, for people.
    pub message: String,
    /// The remedy.
    pub hint: String,
    /// The exit code of the job's process, if it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that killed the job's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The last output of the job's process.
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

impl From<&Failure> for DeadLetter {
    fn from(failure: &Failure) -> Self {
        Self { message: failure.message.clone(), hint: failure.hint.clone(), ..Self::new(failure.code) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_survives_json_with_its_reason_as_an_error_code() {
        let letter = DeadLetter { signal: Some(9), ..DeadLetter::new(ErrorCode::JobCrashed) };
        let json = serde_json::to_string(&letter).unwrap();
        assert_eq!(json, r#"{"reason":"job_crashed","message":"","hint":"","signal":9,"last_lines":""}"#);
        assert_eq!(serde_json::from_str::<DeadLetter>(&json).unwrap(), letter);
    }
}
