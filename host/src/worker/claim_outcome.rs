//! How an attempt at a job ends, as the queue is told.

use serde::{Deserialize, Serialize};

use oculus_job::failure::Failure;

/// The end of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClaimOutcome {
    /// The job has an answer, good or bad.
    Result {
        /// What the backend reads.
        answer: ResultMessage,
        /// SHA-256 of the payload, if it led to a success.
        succeeded: Option<String>,
    },
    /// Back to the queue; counts as nothing.
    Release,
    /// The job's process died: back to the queue, or, at the cap, dead.
    Crash {
        /// The progress event of a job that goes back.
        requeued: String,
        /// What the dead letter says.
        letter: DeadLetter,
        /// What the backend reads of a job that died too often.
        answer: ResultMessage,
    },
    /// Nobody will run this.
    Dead {
        /// What the dead letter says.
        letter: DeadLetter,
        /// What the backend reads; written where an id could be read.
        answer: ResultMessage,
    },
}

/// What the backend reads of an ended job: the result, and the last event on the progress channel. Both are JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultMessage {
    /// The result object.
    pub result: String,
    /// The final progress event.
    pub event: String,
}

/// Why an entry is a dead letter; the queue adds entry, id and time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// A stable word for programs.
    pub reason: String,
    /// For people.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// How the job's process ended, if it did so by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What it printed last.
    pub last_lines: String,
}

impl From<&Failure> for DeadLetter {
    fn from(failure: &Failure) -> Self {
        let Failure { code, message, hint, .. } = failure.clone();
        Self { reason: code.to_string(), message, hint, ..Self::default() }
    }
}

/// What became of an ended claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishStatus {
    /// Accepted.
    Finished,
    /// Back in the queue after a crash.
    Requeued,
    /// Among the dead letters.
    Dead,
    /// Discarded: the job was in other hands by then.
    Fenced,
}
