//! The replies of the queue's scripts, as types.

use redis::{FromRedisValue, ParsingError, Value};

/// The reply of `start.lua`: whether the job of a claim runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The job runs.
    Run {
        /// The number of this attempt, from 1.
        attempt: u32,
        /// The number of earlier attempts whose job process died.
        crashes: u32,
    },
    /// Another attempt of this job is running; the entry is dropped.
    Running {
        /// The token of the running attempt.
        token: u64,
    },
    /// This payload has already succeeded; the event `complete` is published again.
    AlreadySucceeded,
    /// This worker no longer holds the claim.
    Lost,
}

/// The reply of `renew.lua`: the state of a lease after its renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// This worker holds the claim.
    Held,
    /// This worker holds the claim, and cancellation is requested.
    Cancelled,
    /// This worker no longer holds the claim.
    Lost,
}

/// The reply of `finish.lua`. It is also the status of each claim that `reap.lua` has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishStatus {
    /// The outcome is accepted.
    Finished,
    /// The entry is in the queue again, because its job process crashed or its worker vanished.
    Requeued,
    /// The entry is a dead letter.
    Dead,
    /// The outcome is discarded, because this worker no longer holds the claim.
    Fenced,
}

/// A claim that the reaper has finished, because its worker has vanished.
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

/// Returns the error of an unknown reply.
fn unexpected(script: &str, reply: &str) -> ParsingError {
    ParsingError::from(format!("unexpected reply of the script {script}: `{reply}`"))
}
