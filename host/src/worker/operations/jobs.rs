//! The state of the queues: waiting, claimed and running jobs, recent results and workers.
//!
//! In: nothing but a limit. Out: a [`JobsOverview`]. Invariants: nothing is written. The cost
//! depends on the limit and not on the number of waiting entries.

use oculus_job::progress::{Event, Phase, channel};
use redis::{FromRedisValue, RedisResult};
use schemars::JsonSchema;
use serde::Serialize;

use super::fleet::{FleetWorker, WorkerReport};
use super::pause::Pause;
use super::recent::RecentResult;
use super::{OperatedQueue, OperationError, Operations};
use crate::worker::entry::{self, Entry};
use crate::worker::job_header::JobHeader;
use crate::worker::queue::scripts;

/// The number of bytes of an entry, a payload or an event that are read. The ids of a longer one
/// may be unknown.
const MAX_READ_BYTES: usize = 16 << 10;

/// The largest number of claims that are read, for any limit above 0. A fleet has fewer slots.
const MAX_CLAIMS: usize = 10_000;

/// The state of the queues and their workers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobsOverview {
    /// Time of Redis' clock, in seconds since 1970.
    pub at: f64,
    /// The queues in order of priority.
    pub queues: Vec<QueueOverview>,
    /// Workers that report to these queues, sorted by id.
    pub workers: Vec<FleetWorker>,
}

/// The state of one queue.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QueueOverview {
    /// Name of the queue.
    pub queue: String,
    /// The pause; null if workers fetch from the queue.
    pub pause: Option<Pause>,
    /// Number of all waiting entries.
    pub n_waiting: u64,
    /// First waiting entries, the next one first.
    pub waiting: Vec<WaitingJob>,
    /// Number of all claims.
    pub n_claimed: u64,
    /// Claimed and running jobs, the oldest claim first.
    pub claimed: Vec<ClaimedJob>,
    /// Number of dead letters.
    pub n_dead_letters: u64,
    /// Last results, newest first.
    pub recent: Vec<RecentResult>,
}

/// The form of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryForm {
    /// A job id, or the key of a payload.
    Name,
    /// A JSON object that refers to a job.
    Reference,
    /// A job.
    Job,
    /// The entry is not a job, or is too long to read here.
    Unknown,
}

/// A waiting entry.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WaitingJob {
    /// Position in the queue; 1 is fetched next.
    pub position: usize,
    /// Id of the job, or the key of its payload; null if none could be read.
    pub id: Option<String>,
    /// Form of the entry.
    pub form: EntryForm,
    /// Id of the user; null if it is not in the first 16 KiB of the payload.
    pub user_id: Option<String>,
}

/// The state of a claimed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// A worker reads the payload.
    Claimed,
    /// A job process runs the job.
    Running,
}

/// A claimed or running job.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClaimedJob {
    /// Id of the job; null if none could be read.
    pub id: Option<String>,
    /// Id of the user; null if it is not in the first 16 KiB of the payload.
    pub user_id: Option<String>,
    /// State of the job.
    pub state: ClaimState,
    /// Id of the worker.
    pub worker: String,
    /// Number of the attempt, from 1; null before the start.
    pub attempt: Option<u32>,
    /// Seconds since the claim; null if a worker of an older version made it.
    pub seconds: Option<f64>,
    /// Seconds until the lease ends; negative if it has expired and was not reaped yet.
    pub lease_s: f64,
    /// Phase in the last progress event.
    pub phase: Option<Phase>,
    /// Part of the attempt that is done, 0 to 100, in the last progress event.
    pub percent: Option<f64>,
    /// Expected seconds until the end, from now; null while the worker cannot estimate it.
    pub eta_s: Option<f64>,
    /// Message of the last progress event.
    pub message: Option<String>,
    /// Seconds since the last progress event.
    pub event_age_s: Option<f64>,
    /// True if the cancellation of the job is requested.
    pub is_cancelled: bool,
    /// True if a newer payload of the job waits until this attempt ends.
    pub has_newer_payload: bool,
}

/// The reply of `overview.lua`.
struct OverviewReply {
    now_ms: u64,
    n_waiting: u64,
    waiting: Vec<Vec<u8>>,
    n_claimed: u64,
    claims: Vec<ClaimReply>,
    pause: Vec<u8>,
    n_dead_letters: u64,
    recent: Vec<Vec<u8>>,
    workers: Vec<(u64, Vec<u8>)>,
}

/// A claim in the reply of `overview.lua`.
struct ClaimReply {
    lease_end_ms: f64,
    entry: Vec<u8>,
    worker: String,
    id: Option<String>,
    attempt: Option<u32>,
    at_ms: Option<f64>,
    is_cancelled: bool,
    has_newer_payload: bool,
}

/// The facts about a job that its entry contains.
struct EntryView {
    id: Option<String>,
    form: EntryForm,
    user_id: Option<String>,
    payload_key: Option<String>,
}

impl Operations {
    /// Returns the state of the queues.
    ///
    /// * `limit`: the largest number of waiting entries, and of recent results, per queue. If it is
    ///   0, only counts and workers are read.
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn jobs(&self, limit: usize) -> Result<JobsOverview, OperationError> {
        let mut overview = JobsOverview { at: 0.0, queues: Vec::new(), workers: Vec::new() };
        for queue in &self.queues {
            let reply = self.read_overview(queue, limit).await?;
            overview.at = reply.now_ms as f64 / 1000.0;
            for (seen_ms, text) in &reply.workers {
                // A worker reports to each of its queues.
                let Ok(report) = serde_json::from_slice::<WorkerReport>(text) else { continue };
                let is_known = overview.workers.iter().any(|known| known.report.boot == report.boot);
                if !is_known {
                    let seen_s = reply.now_ms.saturating_sub(*seen_ms) as f64 / 1000.0;
                    overview.workers.push(FleetWorker { seen_s, report });
                }
            }
            overview.queues.push(self.queue_overview(queue, reply).await?);
        }
        overview.workers.sort_by(|a, b| a.report.worker_id.cmp(&b.report.worker_id));
        Ok(overview)
    }

    async fn read_overview(&self, queue: &OperatedQueue, limit: usize) -> RedisResult<OverviewReply> {
        let keys = &queue.keys;
        let mut call = scripts::OVERVIEW.key(keys.queue());
        call.key(keys.leases()).key(keys.claim("")).key(keys.dead()).key(keys.paused()).key(keys.recent());
        call.key(keys.workers()).key(keys.worker(""));
        let max_claims = if limit == 0 { 0 } else { MAX_CLAIMS };
        call.arg(queue.next_index()).arg(limit).arg(max_claims).arg(limit).arg(MAX_READ_BYTES);
        self.redis.invoke(&format!("overview of {}", queue.name()), &call).await
    }

    /// Adds users and progress to the state of a queue.
    async fn queue_overview(&self, queue: &OperatedQueue, reply: OverviewReply) -> RedisResult<QueueOverview> {
        let waiting: Vec<EntryView> = reply.waiting.iter().map(|entry| EntryView::read(queue, entry)).collect();
        let claimed: Vec<EntryView> = reply.claims.iter().map(|claim| EntryView::of_claim(queue, claim)).collect();
        let payloads = waiting.iter().chain(&claimed).map(|view| view.payload_key.clone().unwrap_or_default());
        let events = claimed.iter().map(|view| view.id.as_deref().map(channel).unwrap_or_default());
        let mut payloads = self.read_keys(payloads.collect()).await?.into_iter();
        let events = self.read_keys(events.collect()).await?;
        let mut user_of = |view: &EntryView| {
            let payload = payloads.next().unwrap_or_default();
            let user_id = JobHeader::read(&String::from_utf8_lossy(&payload)).0.user_id;
            user_id.or_else(|| view.user_id.clone())
        };
        let waiting = waiting.into_iter().zip(1..).map(|(view, position)| {
            let user_id = user_of(&view);
            WaitingJob { position, id: view.id, form: view.form, user_id }
        });
        let waiting: Vec<_> = waiting.collect();
        let claimed = claimed.into_iter().zip(reply.claims).zip(events).map(|((view, claim), event)| {
            let user_id = user_of(&view);
            claim.into_job(view.id, user_id, serde_json::from_slice(&event).ok(), reply.now_ms)
        });
        Ok(QueueOverview {
            queue: queue.name().to_owned(),
            pause: Some(reply.pause).filter(|text| !text.is_empty()).map(|text| Pause::parse(&text)),
            n_waiting: reply.n_waiting,
            waiting,
            n_claimed: reply.n_claimed,
            claimed: claimed.collect(),
            n_dead_letters: reply.n_dead_letters,
            recent: reply.recent.iter().filter_map(|text| serde_json::from_slice(text).ok()).collect(),
        })
    }

    /// Returns the start of each string; empty if its key does not exist.
    async fn read_keys(&self, keys: Vec<String>) -> RedisResult<Vec<Vec<u8>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = scripts::READ_KEYS.arg(MAX_READ_BYTES);
        for key in keys {
            call.arg(key);
        }
        self.redis.invoke("read keys", &call).await
    }
}

impl EntryView {
    fn read(queue: &OperatedQueue, entry: &[u8]) -> Self {
        match entry::read(entry) {
            Ok(Entry::Name(name)) => {
                let prefix = queue.keys.payload("");
                let id = name.strip_prefix(&prefix).unwrap_or(&name).to_owned();
                let payload_key = Some(queue.keys.payload(&id));
                Self { id: Some(id), form: EntryForm::Name, user_id: None, payload_key }
            }
            Ok(Entry::Pointer { id, payload_key }) => {
                let payload_key = Some(payload_key.unwrap_or_else(|| queue.keys.payload(&id)));
                Self { id: Some(id), form: EntryForm::Reference, user_id: None, payload_key }
            }
            Ok(Entry::Job { id, payload }) => {
                let user_id = JobHeader::read(&payload).0.user_id;
                Self { id: Some(id), form: EntryForm::Job, user_id, payload_key: None }
            }
            // A long job is cut off here.
            Err(refusal) => {
                let header = JobHeader::read(&String::from_utf8_lossy(entry)).0;
                let form = if header.has_symbols { EntryForm::Job } else { EntryForm::Unknown };
                Self { id: refusal.id, form, user_id: header.user_id, payload_key: None }
            }
        }
    }

    /// Reads the entry of a claim. The id of the claim is that of the payload, so it replaces the
    /// one of the entry.
    fn of_claim(queue: &OperatedQueue, claim: &ClaimReply) -> Self {
        let view = Self::read(queue, &claim.entry);
        Self { id: claim.id.clone().or(view.id), ..view }
    }
}

impl ClaimReply {
    fn into_job(self, id: Option<String>, user_id: Option<String>, event: Option<Event>, now_ms: u64) -> ClaimedJob {
        let now_s = now_ms as f64 / 1000.0;
        let state = if self.attempt.is_some() { ClaimState::Running } else { ClaimState::Claimed };
        // Before the start, the last event may be of an earlier run.
        let event = event.filter(|_| state == ClaimState::Running);
        let number = |name: &str| event.as_ref()?.details.get(name)?.as_f64();
        let event_age_s = event.as_ref().and_then(|event| Some((now_s - seconds_of(&event.timestamp)?).max(0.0)));
        ClaimedJob {
            id,
            user_id,
            state,
            worker: self.worker,
            attempt: self.attempt,
            seconds: self.at_ms.map(|at_ms| (now_s - at_ms / 1000.0).max(0.0)),
            lease_s: self.lease_end_ms / 1000.0 - now_s,
            phase: event.as_ref().map(|event| event.phase),
            percent: number("percent"),
            eta_s: number("eta_s").map(|eta_s| (eta_s - event_age_s.unwrap_or(0.0)).max(0.0)),
            message: event.as_ref().and_then(|event| Some(event.details.get("message")?.as_str()?.to_owned())),
            event_age_s,
            is_cancelled: self.is_cancelled,
            has_newer_payload: self.has_newer_payload,
        }
    }
}

/// Returns a time of an event in seconds since 1970.
fn seconds_of(timestamp: &str) -> Option<f64> {
    let time: jiff::civil::DateTime = timestamp.parse().ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?.as_second() as f64)
}

impl FromRedisValue for OverviewReply {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter();
        let mut next = || fields.next().unwrap_or(redis::Value::Nil);
        Ok(Self {
            now_ms: u64::from_redis_value(next())?,
            n_waiting: u64::from_redis_value(next())?,
            waiting: Vec::from_redis_value(next())?,
            n_claimed: u64::from_redis_value(next())?,
            claims: Vec::from_redis_value(next())?,
            pause: Vec::from_redis_value(next())?,
            n_dead_letters: u64::from_redis_value(next())?,
            recent: Vec::from_redis_value(next())?,
            workers: Vec::from_redis_value(next())?,
        })
    }
}

impl FromRedisValue for ClaimReply {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        let mut fields = Vec::from_redis_value(value)?.into_iter().skip(1);
        let mut next = || fields.next().unwrap_or(redis::Value::Nil);
        let lease_end_ms = f64::from_redis_value(next())?;
        let entry = Vec::from_redis_value(next())?;
        // Other programs may write any bytes to a claim, which must not hide the other claims.
        let mut text = || -> Result<String, redis::ParsingError> {
            Ok(String::from_utf8_lossy(&Vec::<u8>::from_redis_value(next())?).into_owned())
        };
        Ok(Self {
            lease_end_ms,
            entry,
            worker: text()?,
            id: Some(text()?).filter(|id| !id.is_empty()),
            attempt: text()?.parse().ok(),
            at_ms: text()?.parse().ok(),
            is_cancelled: !text()?.is_empty(),
            has_newer_payload: !text()?.is_empty(),
        })
    }
}
