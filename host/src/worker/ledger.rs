//! The ledger of submissions in Redis: one hash per user and timeframe.
//!
//! In: a job. Out: the earlier submissions of its user in its timeframe, and the entry that
//! `finish.lua` adds together with the result. Invariant: the ledger never fails a job. If it
//! cannot be read, the history is unknown, and the result has a warning.

use std::collections::HashMap;
use std::time::Duration;

use oculus_job::request::Job;
use oculus_job::submission::{Submission, SubmissionHistory};
use redis::{RedisResult, cmd};

use super::claim_outcome::LedgerEntry;
use super::redis_client::RedisClient;

/// The start of the keys of ledgers. It is followed by the hash of a user and a
/// timeframe.
const KEY_PREFIX: &str = "oculus:training:submissions:";

/// The pauses between the attempts to read a ledger, for an outage that has just begun.
const RETRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

/// The ledger of one user and timeframe.
pub(super) struct Ledger {
    key: String,
}

impl Ledger {
    /// Returns the ledger of the job's user and timeframe.
    pub(super) fn new(job: &Job) -> Self {
        // Queues share their ledgers, because a user may push to several queues.
        Self { key: format!("{KEY_PREFIX}{}", job.ledger_sha256()) }
    }

    /// Reads all submissions.
    pub(super) async fn history(&self, redis: &RedisClient) -> SubmissionHistory {
        let mut result = self.read(redis).await;
        for pause in RETRIES {
            // A retry does not help if Redis rejects the command.
            if !result.as_ref().is_err_and(|error| error.code().is_none()) {
                break;
            }
            tokio::time::sleep(pause).await;
            result = self.read(redis).await;
        }
        match result {
            Ok(entries) => self.parse(&entries),
            Err(error) => SubmissionHistory::Unknown(format!("the ledger `{}` cannot be read: {error}", self.key)),
        }
    }

    /// Returns the entry that `finish.lua` adds for a new submission.
    pub(super) fn entry(&self, submission: &Submission) -> Option<LedgerEntry> {
        let value = serde_json::to_string(submission).ok()?;
        Some(LedgerEntry { key: self.key.clone(), field: submission.id(), value })
    }

    async fn read(&self, redis: &RedisClient) -> RedisResult<HashMap<String, String>> {
        // The step has one name for all ledgers, so that a missing right is logged once.
        redis.query("read submissions", cmd("HGETALL").arg(&self.key)).await
    }

    fn parse(&self, entries: &HashMap<String, String>) -> SubmissionHistory {
        let mut submissions = Vec::with_capacity(entries.len());
        for (field, value) in entries {
            match serde_json::from_str(value) {
                Ok(submission) => submissions.push(submission),
                Err(error) => {
                    let key = &self.key;
                    let reason = format!("the field `{field}` of the ledger `{key}` is not a submission: {error}");
                    return SubmissionHistory::Unknown(reason);
                }
            }
        }
        SubmissionHistory::Known(submissions)
    }
}
