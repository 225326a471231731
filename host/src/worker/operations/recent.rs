//! The list of recent results of a queue.
//!
//! In: outcomes of claims. Out: entries that `recent.lua` adds in the same step that stores the
//! result, so that operators need not search for results.

use oculus_job::code::ErrorCode;
use oculus_job::result::ResultStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::worker::claim_outcome::ClaimOutcome;
use crate::worker::queue::keys::Keys;

/// The largest number of entries of the list.
const MAX_RECENT: usize = 1000;

/// A result in the list of recent results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecentResult {
    /// Id of the job.
    pub id: String,
    /// Outcome of the job.
    pub status: ResultStatus,
    /// Error code; null after a success.
    pub code: Option<String>,
    /// Id of the worker; null if the job was cancelled while it waited.
    pub worker: Option<String>,
    /// Number of the attempt, from 1; null if no attempt had started.
    pub attempt: Option<u32>,
    /// Time of the result, in seconds since 1970.
    pub finished_at: f64,
    /// Seconds from the claim to the result; null if the job was never claimed.
    pub seconds: Option<f64>,
}

/// The part of a recent result that the script cannot know, and the limits of the list.
#[derive(Clone, Debug, Serialize)]
pub(in crate::worker) struct RecentRequest {
    key: String,
    max_entries: usize,
    status: ResultStatus,
    code: Option<String>,
}

/// The fields of a failed result that the list contains.
#[derive(Deserialize)]
struct StoredFailure {
    status: ResultStatus,
    error: Option<StoredError>,
}

#[derive(Deserialize)]
struct StoredError {
    code: String,
}

impl RecentRequest {
    /// Returns the request for the outcome of a claim; `None` for a release.
    pub(in crate::worker) fn of_outcome(outcome: &ClaimOutcome, keys: &Keys) -> Option<Self> {
        match outcome {
            ClaimOutcome::Release => None,
            ClaimOutcome::Result { succeeded: Some(_), .. } => Some(Self::new(keys, ResultStatus::Success, None)),
            ClaimOutcome::Result { message, .. } => {
                let stored = serde_json::from_str::<StoredFailure>(&message.result).ok();
                let status = stored.as_ref().map_or(ResultStatus::Failed, |stored| stored.status);
                Some(Self::new(keys, status, stored.and_then(|stored| stored.error).map(|error| error.code)))
            }
            ClaimOutcome::Crash { letter, .. } | ClaimOutcome::Dead { letter, .. } => {
                Some(Self::failed(keys, letter.reason))
            }
        }
    }

    /// Returns the request for a failed result.
    pub(in crate::worker) fn failed(keys: &Keys, code: ErrorCode) -> Self {
        Self::new(keys, ResultStatus::Failed, Some(code.as_str().to_owned()))
    }

    /// Returns the request for a cancelled result.
    pub(super) fn cancelled(keys: &Keys) -> Self {
        Self::new(keys, ResultStatus::Cancelled, Some(ErrorCode::Cancelled.as_str().to_owned()))
    }

    /// Returns the request as JSON.
    pub(in crate::worker) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    fn new(keys: &Keys, status: ResultStatus, code: Option<String>) -> Self {
        Self { key: keys.recent(), max_entries: MAX_RECENT, status, code }
    }
}
