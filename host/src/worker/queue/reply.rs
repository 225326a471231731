//! The replies of the queue's scripts, as types.

use redis::{FromRedisValue, ParsingError, Value};

/// The reply of `fetch.lua`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FetchReply {
    /// An entry is claimed.
    Claimed {
        /// The token of the claim.
        token: u64,
        /// The start of the entry.
        entry: Vec<u8>,
        /// The number of entries that still wait.
        queue_length: u64,
        /// True if the job id is stored in the claim.
        is_named: bool,
        /// The payload; empty if the worker has to read it.
        payload: Vec<u8>,
    },
    /// The queue contains no entry.
    Empty,
    /// An operator has paused the queue.
    Paused,
}

/// The reply of `adopt.lua`: whether the worker holds the claim again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdoptReply {
    /// The claim is restored under a new token.
    Adopted(u64),
    /// The claim exists under this token.
    Held(u64),
    /// The job has another trace in Redis.
    Fenced,
}

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
    /// The job has started, but its cancellation is requested, so the worker finishes it at once.
    Cancelled {
        /// The number of this attempt, from 1.
        attempt: u32,
        /// The number of earlier attempts whose job process died.
        crashes: u32,
    },
    /// Another attempt of this job runs the same payload, or a newer one; the entry is dropped.
    Running {
        /// The token of the running attempt.
        token: u64,
    },
    /// Another attempt of this job runs an older payload; the entry is requeued when it ends.
    Parked {
        /// The token of the running attempt.
        token: u64,
    },
    /// A later claim of this job has already ended; the entry is dropped.
    Overtaken {
        /// The token of the later claim.
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
    /// This worker holds the claim, but Redis has reverted to a state before the start of the job. The
    /// start must be repeated.
    Reverted,
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
    /// The outcome is discarded, because a newer payload of the job was pushed meanwhile. The entry of
    /// that payload is in the queue.
    Superseded,
    /// The outcome is not accepted yet, because Redis has reverted to a state before the start of the
    /// job. The start must be repeated.
    Reverted,
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

impl FromRedisValue for FetchReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        match String::from_redis_value(next())?.as_str() {
            "claimed" => Ok(Self::Claimed {
                token: u64::from_redis_value(next())?,
                entry: Vec::from_redis_value(next())?,
                queue_length: u64::from_redis_value(next())?,
                is_named: bool::from_redis_value(next())?,
                payload: Vec::from_redis_value(next())?,
            }),
            "empty" => Ok(Self::Empty),
            "paused" => Ok(Self::Paused),
            other => Err(unexpected("FETCH", other)),
        }
    }
}

impl FromRedisValue for AdoptReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        match String::from_redis_value(next())?.as_str() {
            "adopted" => Ok(Self::Adopted(u64::from_redis_value(next())?)),
            "held" => Ok(Self::Held(u64::from_redis_value(next())?)),
            "fenced" => Ok(Self::Fenced),
            other => Err(unexpected("ADOPT", other)),
        }
    }
}

impl FromRedisValue for Start {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        match String::from_redis_value(next())?.as_str() {
            status @ ("run" | "cancelled") => {
                let attempt = u32::from_redis_value(next())?;
                let crashes = u32::from_redis_value(next())?;
                Ok(match status {
                    "run" => Self::Run { attempt, crashes },
                    _ => Self::Cancelled { attempt, crashes },
                })
            }
            "parked" => Ok(Self::Parked { token: u64::from_redis_value(next())? }),
            "running" => Ok(Self::Running { token: u64::from_redis_value(next())? }),
            "overtaken" => Ok(Self::Overtaken { token: u64::from_redis_value(next())? }),
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
            "reverted" => Ok(Self::Reverted),
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
            "superseded" => Ok(Self::Superseded),
            "reverted" => Ok(Self::Reverted),
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
