//! What the queue's scripts return, as types.

use redis::{FromRedisValue, ParsingError, Value};

/// What becomes of a claim, once its job id and payload are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The job runs.
    Run {
        /// The number of this attempt, from 1.
        attempt: u32,
        /// Deaths of the job's process so far.
        crashes: u32,
    },
    /// Another attempt of this job runs; the entry is dropped.
    Running {
        /// The token of that attempt.
        token: u64,
    },
    /// This payload has succeeded before; `complete` is published again.
    AlreadySucceeded,
    /// This worker no longer holds the claim.
    Lost,
}

/// The state of a lease after its renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// This worker holds the claim.
    Held,
    /// This worker holds the claim, and cancellation is requested.
    Cancelled,
    /// This worker no longer holds the claim.
    Lost,
}

/// The result of finishing a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishStatus {
    /// The outcome is accepted.
    Finished,
    /// The entry is in the queue again after a crash.
    Requeued,
    /// The entry is a dead letter.
    Dead,
    /// The outcome is discarded: this worker no longer held the claim.
    Fenced,
}

/// A claim taken from a worker that vanished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// [`FinishStatus::Requeued`] or [`FinishStatus::Dead`].
    pub status: FinishStatus,
    /// The job id, if the worker has read it.
    pub id: Option<String>,
    /// The id of the worker that vanished.
    pub worker: String,
}

impl FromRedisValue for Start {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        match String::from_redis_value(next())?.as_str() {
            "run" => {
                let attempt = u32::from_redis_value(next())?;
                let crashes = u32::from_redis_value(next())?;
                Ok(Self::Run { attempt, crashes })
            }
            "running" => Ok(Self::Running { token: u64::from_redis_value(next())? }),
            "done" => Ok(Self::AlreadySucceeded),
            "lost" => Ok(Self::Lost),
            other => Err(unexpected("START", other)),
        }
    }
}

impl FromRedisValue for LeaseStatus {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        match String::from_redis_value(value)?.as_str() {
            "held" => Ok(Self::Held),
            "cancelled" => Ok(Self::Cancelled),
            "lost" => Ok(Self::Lost),
            other => Err(unexpected("RENEW", other)),
        }
    }
}

impl FromRedisValue for FinishStatus {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        match String::from_redis_value(value)?.as_str() {
            "finished" => Ok(Self::Finished),
            "requeued" => Ok(Self::Requeued),
            "dead" => Ok(Self::Dead),
            "fenced" => Ok(Self::Fenced),
            other => Err(unexpected("FINISH or REAP", other)),
        }
    }
}

impl FromRedisValue for Reaped {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (status, id, worker) = <(FinishStatus, String, String)>::from_redis_value(value)?;
        Ok(Self { status, id: Some(id).filter(|id| !id.is_empty()), worker })
    }
}

fn unexpected(script: &str, reply: &str) -> ParsingError {
    ParsingError::from(format!("the script {script} returned `{reply}`"))
}
