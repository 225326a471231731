//! Checks the invariant of a queue on a live Redis: every entry is in the list, under a lease, or
//! finished.
//!
//! In: the keys of a queue. Out: an [`Audit`]. The check writes nothing.

use std::fmt;

use redis::{RedisError, RedisResult, cmd};
use serde::{Deserialize, Serialize};

use super::{Queue, scripts};

/// The number of keys that Redis examines per call of `SCAN`.
const SCAN_COUNT: u32 = 1000;

/// The state of a queue, as far as it can violate the invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The number of entries in the list.
    pub n_waiting: u64,
    /// The number of claims.
    pub n_claims: u64,
    /// The violations. The list is empty if the queue is consistent.
    pub findings: Vec<Finding>,
}

/// A violation of the invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of the violation.
    pub problem: QueueProblem,
    /// The job id, if it is known.
    pub id: Option<String>,
    /// The token of the claim, if the violation concerns one.
    pub token: Option<String>,
}

/// The kinds of violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueProblem {
    /// A claim has no lease, so no reaper will requeue its entry.
    ClaimWithoutLease,
    /// A lease has no claim, so there is no entry that it protects.
    LeaseWithoutClaim,
    /// A lease ended more than ten minutes ago, and no worker has reaped it.
    LeaseNotReaped,
    /// Two claims have started the same job.
    StartedTwice,
    /// A claim has started a job, but another claim or none is marked as the running one.
    NotMarkedAsRunning,
    /// A running job has a result, which a backend would take for the outcome of the run.
    ResultOfRunningJob,
    /// A job that has started has no result, no claim and no entry in the list.
    LostJob,
}

impl QueueProblem {
    /// Returns the cause and the remedy, as sentences for people.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ClaimWithoutLease => {
                "a claim has no lease, so its entry is not requeued: push the entry in the claim's field `entry` again, \
                 then delete the claim"
            }
            Self::LeaseWithoutClaim => "a lease has no claim: a worker removes it when it expires",
            Self::LeaseNotReaped => {
                "a lease ended more than ten minutes ago: start a worker for this queue, which requeues the entry"
            }
            Self::StartedTwice => "two claims have started the same job: Redis accepts the result of only one of them",
            Self::NotMarkedAsRunning => "a running job is not marked as running: its result is accepted nevertheless",
            Self::ResultOfRunningJob => {
                "a running job has a result: another program has written it, or an older worker; the attempt replaces it"
            }
            Self::LostJob => {
                "a job has started, but has no result, no claim and no entry: push its id again, and look for a program \
                 that deletes keys or entries"
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.id {
            write!(f, "job {id}: ")?;
        }
        if let Some(token) = &self.token {
            write!(f, "claim {token}: ")?;
        }
        f.write_str(self.problem.explanation())
    }
}

impl Queue {
    /// Checks the invariant of the queue. Redis stays available meanwhile: the keys are collected in
    /// parts, and one script examines only the keys of this queue.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects a command.
    pub async fn audit(&self) -> RedisResult<Audit> {
        let keys = &self.keys;
        let tokens = self.names_after(&keys.claim("")).await?;
        let mut ids = self.names_after(&keys.count("")).await?;
        // These counts belong to entries without an id.
        ids.retain(|id| !id.starts_with('#'));
        let mut call = scripts::AUDIT.key(self.name());
        call.key(keys.leases()).key(keys.claim("")).key(keys.running("")).key(keys.count(""));
        call.key(keys.result("")).key(keys.payload(""));
        call.arg(serde_json::json!(tokens).to_string()).arg(serde_json::json!(ids).to_string());
        let audit: String = self.redis.invoke(&self.step("audit"), &call).await?;
        serde_json::from_str(&audit).map_err(|error| RedisError::from(std::io::Error::other(error)))
    }

    /// Returns the rest of the name of each key that begins with `prefix`.
    async fn names_after(&self, prefix: &str) -> RedisResult<Vec<String>> {
        let pattern = format!("{}*", escape_pattern(prefix));
        let mut names = Vec::new();
        let mut cursor = 0;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_COUNT);
            let (next, keys): (u64, Vec<String>) = self.redis.query("scan", &scan).await?;
            names.extend(keys.iter().filter_map(|key| key.strip_prefix(prefix)).map(str::to_owned));
            if next == 0 {
                return Ok(names);
            }
            cursor = next;
        }
    }
}

/// Returns a pattern of `SCAN` that matches exactly this text.
fn escape_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if ['*', '?', '[', ']', '\\', '^'].contains(&character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
