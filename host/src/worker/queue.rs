//! One queue in Redis. In atomic steps, an entry moves from the list to a claim, and from the claim
//! to a result. `docs/queue.md` describes the keys and the states.
//!
//! In: the list that the backend pushes to. Out: [`Claim`]s, and their [`ClaimOutcome`]s.
//! Invariant: at any time, every entry is in the list, under a lease, or finished. Only the scripts
//! in `scripts/` move entries, and they use only Redis' clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::{Event, Phase, Status, channel};
use oculus_job::result::FailedResult;
use redis::{RedisError, RedisResult, Script, ScriptInvocation, cmd};

use super::claim::{Claim, ClaimId, ClaimRecord, Holder};
use super::claim_outcome::{ClaimOutcome, DeadLetter};
use super::entry::MAX_BYTES;
use super::moment::Moment;
use super::redis_client::{RedisClient, Replication, is_denied, is_wrong_type};
use super::server_id::ServerId;
use crate::config::{QueueConfig, QueueEnd};

mod audit;
mod finish_request;
pub(super) mod keys;
mod reply;
pub(super) mod scripts;

use super::operations::recent::RecentRequest;
pub use audit::{Audit, Finding, QueueProblem};
use finish_request::FinishRequest;
use keys::Keys;
use reply::{AdoptReply, FetchReply};
pub use reply::{FinishStatus, LeaseStatus, Reaped, Start};

/// The number of vanished workers after which an entry becomes a dead letter. It is larger than the
/// usual limit of crashes, because workers also vanish for reasons that are not the job's fault.
pub const MAX_VANISHED: u32 = 10;

/// The result of an attempt to fetch an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// An entry is claimed.
    Claimed(Claim),
    /// The queue contains no entry.
    Empty,
    /// An operator has paused the queue.
    Paused,
}

/// A queue: one list with its leases, counts and dead letters.
#[derive(Clone)]
pub struct Queue {
    keys: Keys,
    holder: Holder,
    config: QueueConfig,
    redis: Arc<RedisClient>,
    /// The client of results that replicas must confirm, if any must. A confirmation blocks its
    /// connection, so results have a separate one.
    replicated: Option<Arc<RedisClient>>,
    /// The highest token that this process has received from the queue. The next token is larger,
    /// even if Redis reverts to an older state and its clock is set back. This process therefore
    /// never holds two claims under the same id.
    highest_token: Arc<AtomicU64>,
}

impl Queue {
    /// Creates the queue `name`, whose entries are claimed by `holder`.
    pub fn new(name: &str, holder: &Holder, config: &QueueConfig, redis: Arc<RedisClient>) -> Self {
        Self {
            keys: Keys::new(name, config),
            holder: holder.clone(),
            config: config.clone(),
            redis,
            replicated: None,
            highest_token: Arc::default(),
        }
    }

    /// Returns the queue with a separate client for results that replicas must confirm.
    #[must_use]
    pub fn with_replicated_results(self, redis: Arc<RedisClient>) -> Self {
        Self { replicated: Some(redis), ..self }
    }

    /// Returns the key of the list.
    pub fn name(&self) -> &str {
        self.keys.queue()
    }

    /// Returns the configuration of the queue.
    pub fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// Claims the next entry, unless the queue is empty or paused.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script. If only the response
    /// was lost, the entry is claimed nevertheless. It is requeued when its lease expires.
    pub async fn fetch(&self) -> RedisResult<Fetched> {
        // The server is read before the call. If the connection is replaced in between, the claim then
        // seems to come from an older server, and the worker may restore a claim that is not lost; the
        // script rejects that. In the other order, a lost claim could never be restored.
        let server = self.redis.server().await?;
        let requested_at = Moment::now();
        let mut call = scripts::FETCH.key(self.name());
        let keys = &self.keys;
        call.key(keys.leases()).key(keys.fence()).key(keys.claim("")).key(keys.paused()).key(keys.result(""));
        call.key(channel("")).key(keys.running("")).key(keys.done("")).key(keys.ended("")).key(keys.payload(""));
        let (pop, index) = self.pop();
        call.arg(pop).arg(index).arg(millis(self.config.lease)).arg(&self.holder.worker_id);
        // `Relaxed` is enough, because the number guards no other memory. One byte more than
        // allowed is requested. This byte shows that an entry is too large, so the whole entry need
        // not be transferred.
        call.arg(self.holder.boot.to_string()).arg(self.highest_token.load(Ordering::Relaxed)).arg(MAX_BYTES + 1);
        Ok(match self.redis.invoke(&self.step("fetch"), &call).await? {
            FetchReply::Claimed { token, entry, queue_length, is_named, payload } => {
                self.highest_token.fetch_max(token, Ordering::Relaxed);
                let id = ClaimId { token, boot: Some(self.holder.boot) };
                let payload = Some(payload).filter(|payload| !payload.is_empty());
                Fetched::Claimed(Claim { id, entry, queue_length, requested_at, server, is_named, payload })
            }
            FetchReply::Empty => Fetched::Empty,
            FetchReply::Paused => Fetched::Paused,
        })
    }

    /// Restores a claim that Redis has lost, and returns its id. Returns `None` if Redis knows another
    /// trace of the job. The caller has checked that another server answers than the one that last
    /// confirmed the claim.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script. The call may be repeated.
    pub async fn adopt(&self, claim: ClaimId, record: &ClaimRecord) -> RedisResult<Option<ClaimId>> {
        let keys = &self.keys;
        let id = record.id.as_deref();
        let mut call = scripts::ADOPT.key(self.name());
        call.key(keys.leases()).key(keys.fence()).key(keys.claim("")).key(keys.dead());
        if let Some(id) = id {
            self.add_job_keys(&mut call, id);
        }
        let highest = self.highest_token.load(Ordering::Relaxed).max(claim.token);
        call.arg(claim.token).arg(claim.boot_text()).arg(&self.holder.worker_id).arg(millis(self.config.lease));
        call.arg(highest).arg(&record.entry).arg(id.unwrap_or_default()).arg(id.map(|id| keys.payload(id)));
        match &record.payload {
            Some(payload) => call.arg(&payload.key).arg(&payload.value),
            None => call.arg("").arg(""),
        };
        if let Some(start) = &record.start {
            call.arg(start.attempt).arg(start.crashes).arg(&start.payload_sha256);
        }
        Ok(match self.redis.invoke(&self.step("adopt"), &call).await? {
            AdoptReply::Adopted(token) | AdoptReply::Held(token) => {
                self.highest_token.fetch_max(token, Ordering::Relaxed);
                Some(ClaimId { token, ..claim })
            }
            AdoptReply::Fenced => None,
        })
    }

    /// Returns the commands that Redis would reject for this worker's user, each with its key. The
    /// list is empty if Redis is older than version 7, because such a server cannot check rights.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn missing_rights(&self) -> RedisResult<Vec<String>> {
        let (pop, _) = self.pop();
        let commands = serde_json::json!(self.keys.needed_commands(pop, self.push())).to_string();
        self.redis.invoke("rights", &scripts::RIGHTS.arg(commands)).await
    }

    /// Stores the job id of a claim, as soon as it has been read, and removes the result of an
    /// earlier failure of the job. Does nothing if the claim is lost.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn name_claim(&self, claim: ClaimId, id: &str) -> RedisResult<()> {
        let mut call = self.holder_call(&scripts::NAME, claim);
        self.add_job_keys(&mut call, id);
        call.arg(id);
        self.redis.invoke(&self.step("name"), &call).await
    }

    /// Decides whether the job of a claim runs. Its id and payload must have been read before.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script. The call may be
    /// repeated.
    pub async fn start(&self, claim: ClaimId, id: &str, payload_sha256: &str) -> RedisResult<Start> {
        let message = "this payload has already succeeded; its result is unchanged";
        let event = Event::now(id, Phase::Complete, Status::Completed).with_message(message);
        let mut call = self.holder_call(&scripts::START, claim);
        self.add_job_keys(&mut call, id);
        call.key(self.keys.claim(""));
        call.arg(id).arg(payload_sha256).arg(event.to_json());
        self.redis.invoke(&self.step("start"), &call).await
    }

    /// Extends a lease.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn renew(&self, claim: ClaimId) -> RedisResult<LeaseStatus> {
        self.renew_through(&self.redis, claim, false).await
    }

    /// Extends a lease through a client of the caller, which is the thread that renews all leases.
    ///
    /// * `is_started`: whether the job has started. Redis may have reverted to a state before the start.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn renew_through(
        &self,
        redis: &RedisClient,
        claim: ClaimId,
        is_started: bool,
    ) -> RedisResult<LeaseStatus> {
        let mut call = self.holder_call(&scripts::RENEW, claim);
        call.key(self.keys.cancel("")).key(self.keys.fence()).arg(millis(self.config.lease)).arg(u8::from(is_started));
        redis.invoke(&self.step("renew"), &call).await
    }

    /// Returns those of some claims whose cancellation is requested, through a client of the caller.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn cancelled_through(&self, redis: &RedisClient, claims: &[ClaimId]) -> RedisResult<Vec<ClaimId>> {
        let mut call = scripts::WATCH.key(self.keys.claim(""));
        call.key(self.keys.cancel("")).key(self.keys.fence());
        for claim in claims {
            call.arg(claim.token);
        }
        let cancelled: Vec<u64> = redis.invoke(&self.step("watch"), &call).await?;
        Ok(claims.iter().filter(|claim| cancelled.contains(&claim.token)).copied().collect())
    }

    /// Finishes a claim with its outcome.
    ///
    /// * `id`: the id that was passed to [`Queue::start`]. For an entry that is not a job, it is
    ///   the entry's id, or `None` if no id could be read.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script. It is then unknown
    /// whether Redis has accepted the outcome. The call may be repeated: an outcome that Redis has
    /// already accepted is fenced. If too few replicas confirm a result, Redis has accepted it, but a
    /// fail-over could lose it; the error has the code `NOREPLICAS`.
    pub async fn finish(&self, claim: ClaimId, id: Option<&str>, outcome: &ClaimOutcome) -> RedisResult<FinishStatus> {
        let request = FinishRequest::new(id, outcome, &self.config, &self.keys);
        let request =
            serde_json::to_string(&request).map_err(|error| RedisError::from(std::io::Error::other(error)))?;
        let message = outcome.message();
        let mut call = scripts::FINISH.key(self.name());
        call.key(self.keys.leases()).key(self.keys.claim(claim.token)).key(self.keys.dead()).key(self.keys.count(""));
        if let Some(id) = id {
            self.add_job_keys(&mut call, id);
        }
        call.arg(claim.token).arg(claim.boot_text()).arg(self.push());
        call.arg(&message.result).arg(&message.event).arg(request);
        match self.replicated_client(outcome) {
            Some(redis) => redis.invoke_replicated(&self.step("finish"), &call, &self.replication()).await,
            None => self.redis.invoke(&self.step("finish"), &call).await,
        }
    }

    /// Returns the server to which [`Queue::finish`] sends an outcome.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable.
    pub async fn finish_server(&self, outcome: &ClaimOutcome) -> RedisResult<Option<ServerId>> {
        self.replicated_client(outcome).unwrap_or(&self.redis).server().await
    }

    /// Returns the client of outcomes that replicas must confirm, if this outcome is one of them.
    fn replicated_client(&self, outcome: &ClaimOutcome) -> Option<&Arc<RedisClient>> {
        self.replicated.as_ref().filter(|_| matches!(outcome, ClaimOutcome::Result { .. }))
    }

    /// Returns the request that replicas confirm a result.
    fn replication(&self) -> Replication {
        let n_replicas = self.config.wait_replicas;
        Replication { step: self.step("replicate"), key: self.keys.replicated(), n_replicas }
    }

    /// Finishes expired claims of vanished workers: requeues their entries, or makes them dead
    /// letters. Does nothing if Redis runs the call later than `not_after`.
    ///
    /// * `not_after`: a time of Redis' clock, as returned by [`Queue::now`].
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn reap(&self, not_after: u64) -> RedisResult<Vec<Reaped>> {
        let failure = worker_vanished();
        let event = Event::now("", Phase::Queued, Status::Failed).with_message(&failure.message);
        // The script adds the ids, because only the script knows which jobs have lost their worker.
        let keys = &self.keys;
        let mut call = scripts::REAP.key(self.name());
        call.key(keys.leases()).key(keys.dead()).key(keys.claim("")).key(keys.running(""));
        call.key(keys.count("")).key(keys.done("")).key(keys.ended("")).key(keys.result("")).key(channel(""));
        call.key(keys.cancel(""));
        call.arg(not_after).arg(self.push()).arg(MAX_VANISHED).arg(self.config.result_ttl_seconds());
        call.arg(serde_json::json!(DeadLetter::from(&failure)).to_string());
        call.arg(without_field("build_id", FailedResult::new(&failure, "", None).to_json()));
        call.arg(without_field("job_id", serde_json::json!(event)));
        call.arg(RecentRequest::failed(keys, failure.code).to_json());
        self.redis.invoke(&self.step("reap"), &call).await
    }

    /// Stores the report of this worker for `ttl`, and returns the request to drain the worker. An empty
    /// report removes the earlier one.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn report_presence(&self, report: &str, ttl: Duration) -> RedisResult<Option<String>> {
        let boot = self.holder.boot;
        let mut call = scripts::PRESENCE.key(self.keys.workers());
        call.key(self.keys.worker(boot)).key(self.keys.drain(boot));
        call.arg(boot.to_string()).arg(report).arg(millis(ttl));
        self.redis.invoke(&self.step("presence"), &call).await
    }

    /// Returns the time of Redis' clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command.
    pub async fn now(&self) -> RedisResult<u64> {
        let (seconds, micros): (u64, u64) = self.redis.query("time", &cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Returns the payload at a key, cut after [`MAX_BYTES`] + 1 bytes. Returns `None` if the key
    /// does not exist or its value is empty, or if a producer has named a key to which the Redis user
    /// has no right.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command, or if the value is
    /// not a string (see [`is_wrong_type`]).
    pub async fn payload(&self, key: &str) -> RedisResult<Option<Vec<u8>>> {
        // GET would transfer a payload completely, even if it is much too large. GETRANGE returns
        // an empty string for a key that does not exist.
        // A right to all keys with the prefix of payloads is required. If it is missing, the step is
        // retried until an operator grants it. A right to any other key may be missing.
        let is_required = key.starts_with(&self.keys.payload(""));
        let is_mistake = |error: &RedisError| is_wrong_type(error) || (is_denied(error) && !is_required);
        let command = cmd("GETRANGE").arg(key).arg(0).arg(MAX_BYTES).clone();
        match self.redis.read_key::<Vec<u8>>(&command, is_mistake).await {
            Ok(bytes) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Err(error) if is_denied(&error) && !is_required => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the number of entries of a list, or 0 for a key of another type.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command.
    pub async fn list_length(&self, list: &str) -> RedisResult<u64> {
        match self.redis.read_key(cmd("LLEN").arg(list), is_wrong_type).await {
            Err(error) if is_wrong_type(&error) => Ok(0),
            length => length,
        }
    }

    /// Blocks on the caller's connection until the list contains an entry, at most for `timeout`.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command.
    pub async fn wait(&self, redis: &RedisClient, timeout: Duration) -> RedisResult<()> {
        let end = match self.config.end {
            QueueEnd::Left => "LEFT",
            QueueEnd::Right => "RIGHT",
        };
        // The command moves the next entry to the end of the list at which it already is, so
        // nothing changes. A blocking pop would remove the entry, and the entry would be lost if
        // the worker died before the claim.
        let mut call = cmd("BLMOVE");
        call.arg(self.name()).arg(self.name()).arg(end).arg(end).arg(timeout.as_secs_f64());
        redis.query::<Option<Vec<u8>>>(&self.step("wait"), &call).await.map(drop)
    }

    /// Returns the key at which a producer stores the payload of the job `id`, unless the producer
    /// names another key.
    pub fn payload_key(&self, id: &str) -> String {
        self.keys.payload(id)
    }

    /// Returns the name that a step on this queue has in the log.
    pub fn step(&self, name: &str) -> String {
        format!("{name} on {}", self.name())
    }

    /// Returns a call of a script that acts for the holder of a claim. The call already has the
    /// keys and arguments that all of these scripts begin with.
    fn holder_call(&self, script: &'static Script, claim: ClaimId) -> ScriptInvocation<'static> {
        let mut call = script.key(self.keys.leases());
        call.key(self.keys.claim(claim.token)).arg(claim.token).arg(claim.boot_text());
        call
    }

    /// Adds the keys of a job to a call, in the order that `name.lua`, `start.lua` and
    /// `finish.lua` expect.
    fn add_job_keys(&self, call: &mut ScriptInvocation, id: &str) {
        let keys = &self.keys;
        call.key(keys.result(id)).key(channel(id)).key(keys.running(id)).key(keys.count(id)).key(keys.done(id));
        call.key(keys.ended(id)).key(keys.cancel(id));
    }

    /// Returns the command that removes the next entry, and the index of that entry.
    fn pop(&self) -> (&'static str, i8) {
        match self.config.end {
            QueueEnd::Left => ("LPOP", 0),
            QueueEnd::Right => ("RPOP", -1),
        }
    }

    /// Returns the command that adds an entry at the end from which the next entry is taken.
    fn push(&self) -> &'static str {
        match self.config.end {
            QueueEnd::Left => "LPUSH",
            QueueEnd::Right => "RPUSH",
        }
    }
}

/// Returns the failure of a job that too many workers claimed and did not finish.
fn worker_vanished() -> JobError {
    let message = format!("{MAX_VANISHED} workers claimed this job and vanished before they finished it");
    let hint = "find out why the workers die (often a lack of memory), then push the job again";
    JobError::failed(Phase::Queued, ErrorCode::WorkerVanished, message, hint)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a JSON object as text, without one of its fields.
fn without_field(field: &str, mut object: serde_json::Value) -> String {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
    object.to_string()
}
