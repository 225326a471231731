//! Cancels jobs on request of an operator.
//!
//! In: a job id. Out: a cancelled result, or a request to the worker that runs the job.
//! `cancel.lua` decides in one step which of the two, so a job cannot move from the queue to a
//! worker in between.

use std::time::{Duration, Instant};

use oculus_job::error::JobError;
use oculus_job::hash::sha256_hex;
use oculus_job::progress::{Event, Phase, Status, channel};
use oculus_job::result::{FailedResult, ResultStatus};
use redis::{FromRedisValue, ParsingError, RedisResult, Value, cmd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recent::RecentRequest;
use super::{OperatedQueue, OperationError, Operations, design_config};
use crate::worker::entry::{self, Entry, MAX_BYTES};
use crate::worker::job_header::JobHeader;
use crate::worker::queue::scripts;
use crate::worker::redis_client::is_wrong_type;

/// The time for which a request to cancel a claimed job is kept, in seconds. Without a limit, the
/// request would cancel a later run of the job.
const REQUEST_TTL_S: u32 = 24 * 3600;

/// The interval at which the end of a cancelled job is polled.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Where a job was when it was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelledState {
    /// The job waited in the queue.
    Waiting,
    /// A worker had claimed the job, but no attempt had started.
    Claimed,
    /// A worker ran the job.
    Running,
}

/// The outcome of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelOutcome {
    /// The job has ended with the result `cancelled`.
    Cancelled,
    /// The worker has not ended the job yet.
    Requested,
    /// The job has a result with the status `success`, because it ended before its worker read the
    /// request, or because its payload had already succeeded.
    Succeeded,
    /// The job has failed before its worker read the request.
    Failed,
}

/// The cancellation of a job in one queue.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cancellation {
    /// Queue of the job.
    pub queue: String,
    /// Id of the job.
    pub id: String,
    /// Where the job was.
    pub state: CancelledState,
    /// Outcome of the cancellation.
    pub outcome: CancelOutcome,
    /// Ids of the workers that held the job.
    pub workers: Vec<String>,
    /// Number of entries that were removed from the queue.
    pub n_removed: u64,
    /// The tokens of the claims whose workers end the job.
    #[serde(skip)]
    tokens: Vec<u64>,
}

/// The reply of `cancel.lua`.
enum CancelReply {
    /// Workers hold the job.
    Held { state: CancelledState, tokens: Vec<u64>, workers: Vec<String>, n_removed: u64 },
    /// The job waits with this entry. The call must be repeated with a result.
    Waiting { entry: Vec<u8> },
    /// The waiting job has ended.
    Ended { outcome: CancelOutcome, n_removed: u64 },
    /// The job ended before.
    EndedBefore,
    /// Redis does not know the job.
    Unknown,
}

/// The texts that are stored if a waiting job is cancelled.
struct CancelledTexts {
    id: String,
    result: String,
    event: String,
    payload_sha256: String,
}

impl Operations {
    /// Cancels a job in every queue that contains it. Does not wait for the workers that run it.
    ///
    /// # Errors
    /// Returns [`OperationError::UnknownJob`] or [`OperationError::JobEnded`] if no queue contains
    /// the job.
    pub async fn cancel(&self, id: &str) -> Result<Vec<Cancellation>, OperationError> {
        let mut cancellations = Vec::new();
        let mut ended_in = None;
        for queue in &self.queues {
            match self.cancel_in(queue, id).await? {
                Ok(cancellation) => {
                    self.audit(queue, "cancel", &cancellation.id);
                    cancellations.push(cancellation);
                }
                Err(CancelReply::EndedBefore) => ended_in = Some(queue),
                Err(_) => {}
            }
        }
        if !cancellations.is_empty() {
            return Ok(cancellations);
        }
        let id = id.to_owned();
        match ended_in {
            Some(queue) => {
                let status = self.result_status(queue, &id).await?;
                let status = status.map_or_else(String::new, |status| format!(" with the status `{}`", status.name()));
                Err(OperationError::JobEnded { id, status })
            }
            None => Err(OperationError::UnknownJob { id, queues: self.queue_names() }),
        }
    }

    /// Waits until the workers that held a cancelled job have ended it, and updates the outcome.
    /// After `limit`, the outcome is still [`CancelOutcome::Requested`].
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn wait_for_cancellation(
        &self,
        cancellation: &mut Cancellation,
        limit: Duration,
    ) -> Result<(), OperationError> {
        let Some(queue) = self.queues.iter().find(|queue| queue.name() == cancellation.queue) else { return Ok(()) };
        let deadline = Instant::now() + limit;
        while cancellation.outcome == CancelOutcome::Requested {
            let mut leases = cmd("ZMSCORE");
            leases.arg(queue.keys.leases()).arg(&cancellation.tokens);
            let leases: Vec<Option<f64>> = self.redis.query("cancel", &leases).await?;
            if leases.iter().all(Option::is_none) {
                // Without a result, the entry is in the queue again, and the request is kept.
                let status = self.result_status(queue, &cancellation.id).await?;
                cancellation.outcome = status.map_or(CancelOutcome::Requested, CancelOutcome::from);
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// Cancels a job in one queue, or returns the reply that states why it is not there.
    async fn cancel_in(
        &self,
        queue: &OperatedQueue,
        name: &str,
    ) -> Result<Result<Cancellation, CancelReply>, OperationError> {
        let mut texts = None;
        loop {
            let reply = self.send_cancel(queue, name, texts.as_ref()).await?;
            let id = texts.as_ref().map_or(name, |texts: &CancelledTexts| &texts.id).to_owned();
            let cancellation = |state, outcome, n_removed| Cancellation {
                queue: queue.name().to_owned(),
                id,
                state,
                outcome,
                workers: Vec::new(),
                n_removed,
                tokens: Vec::new(),
            };
            return Ok(match reply {
                CancelReply::Waiting { entry } => {
                    texts = Some(self.cancelled_texts(queue, name, &entry).await?);
                    continue;
                }
                CancelReply::Ended { outcome, n_removed } => {
                    Ok(cancellation(CancelledState::Waiting, outcome, n_removed))
                }
                CancelReply::Held { state, tokens, workers, n_removed } => {
                    let held = cancellation(state, CancelOutcome::Requested, n_removed);
                    Ok(Cancellation { tokens, workers, ..held })
                }
                other => Err(other),
            });
        }
    }

    /// Runs `cancel.lua`.
    async fn send_cancel(
        &self,
        queue: &OperatedQueue,
        name: &str,
        texts: Option<&CancelledTexts>,
    ) -> RedisResult<CancelReply> {
        let keys = &queue.keys;
        let id = texts.map_or(name, |texts| &texts.id);
        let mut call = scripts::CANCEL.key(keys.queue());
        call.key(keys.leases()).key(keys.fence()).key(keys.claim("")).key(keys.result(id)).key(channel(id));
        call.key(keys.running(id)).key(keys.count(id)).key(keys.done(id)).key(keys.ended(id)).key(keys.cancel(id));
        call.arg(name).arg(id).arg(keys.payload(name)).arg(REQUEST_TTL_S).arg(queue.config.result_ttl_seconds());
        call.arg(texts.map_or("", |texts| &texts.result)).arg(texts.map_or("", |texts| &texts.event));
        call.arg(texts.map_or("", |texts| &texts.payload_sha256)).arg(RecentRequest::cancelled(keys).to_json());
        self.redis.invoke(&format!("cancel on {}", queue.name()), &call).await
    }

    /// Returns the result and the event of a waiting job that is cancelled.
    async fn cancelled_texts(&self, queue: &OperatedQueue, name: &str, entry: &[u8]) -> RedisResult<CancelledTexts> {
        let (entry_id, payload) = match entry::read(entry) {
            Ok(Entry::Job { id, payload }) => (id, payload),
            Ok(Entry::Pointer { id, payload_key }) => {
                let default_key = queue.keys.payload(&id);
                let payload = self.payload(&[payload_key.unwrap_or_else(|| default_key.clone()), default_key]).await?;
                (id, payload)
            }
            Ok(Entry::Name(key)) => {
                let payload = self.payload(&[queue.keys.payload(&key), key]).await?;
                (name.to_owned(), payload)
            }
            Err(_) => (name.to_owned(), String::new()),
        };
        let (header, _) = JobHeader::read(&payload);
        let id = header.job_id.unwrap_or(entry_id);
        let failure = JobError::cancelled(Phase::Queued);
        let build_id = header.build_id.unwrap_or_else(|| id.clone());
        let result = FailedResult::new(&failure, &build_id, design_config(&payload)).to_json().to_string();
        let event = Event::now(&id, Phase::Queued, Status::Cancelled).with_message(&failure.message).to_json();
        Ok(CancelledTexts { id, result, event, payload_sha256: sha256_hex(payload.as_bytes()) })
    }

    /// Returns the payload at the first of several keys that exists, or an empty text.
    async fn payload(&self, keys: &[String]) -> RedisResult<String> {
        let mut call = scripts::READ_KEYS.arg(MAX_BYTES + 1);
        for key in keys {
            call.arg(key);
        }
        let texts: Vec<Vec<u8>> = self.redis.invoke("read payload", &call).await?;
        let found = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        Ok(String::from_utf8_lossy(&found).into_owned())
    }

    /// Returns the status of a job's result, or `None` if it has none.
    async fn result_status(&self, queue: &OperatedQueue, id: &str) -> RedisResult<Option<ResultStatus>> {
        #[derive(Deserialize)]
        struct StoredResult {
            status: ResultStatus,
        }
        let text: Option<String> = self.redis.read_key(cmd("GET").arg(queue.keys.result(id)), is_wrong_type).await?;
        Ok(text.and_then(|text| serde_json::from_str::<StoredResult>(&text).ok()).map(|result| result.status))
    }
}

impl From<ResultStatus> for CancelOutcome {
    fn from(status: ResultStatus) -> Self {
        match status {
            ResultStatus::Cancelled => Self::Cancelled,
            ResultStatus::Success => Self::Succeeded,
            ResultStatus::Failed => Self::Failed,
        }
    }
}

impl FromRedisValue for CancelReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        Ok(match String::from_redis_value(next())?.as_str() {
            state @ ("running" | "claimed") => Self::Held {
                state: if state == "running" { CancelledState::Running } else { CancelledState::Claimed },
                tokens: Vec::from_redis_value(next())?,
                workers: Vec::from_redis_value(next())?,
                n_removed: u64::from_redis_value(next())?,
            },
            "queued" => Self::Waiting { entry: Vec::from_redis_value(next())? },
            "cancelled" => Self::Ended { outcome: CancelOutcome::Cancelled, n_removed: u64::from_redis_value(next())? },
            "succeeded" => Self::Ended { outcome: CancelOutcome::Succeeded, n_removed: u64::from_redis_value(next())? },
            "ended" => Self::EndedBefore,
            "unknown" => Self::Unknown,
            other => return Err(ParsingError::from(format!("unexpected reply of the script CANCEL: `{other}`"))),
        })
    }
}
