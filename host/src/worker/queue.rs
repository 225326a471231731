//! One queue in Redis: an entry moves from the list to a claim, and from there to a result, in
//! atomic steps.
//!
//! In: the list that the backend pushes to. Out: [`Claim`]s, and their [`ClaimOutcome`]s.
//! Invariant: every entry is at any moment in the list, under a live lease, or ended. The scripts
//! in `scripts/` are the only writers, and Redis' clock is the only clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::{Event, Phase, Status, channel};
use oculus_job::result::FailedResult;
use redis::{ConnectionLike, RedisError, RedisResult, Script, ScriptInvocation, cmd};

use super::claim::{Claim, ClaimId, Holder};
use super::claim_outcome::{ClaimOutcome, DeadLetter};
use super::entry::MAX_BYTES;
use super::redis_client::{RedisClient, is_wrong_type};
use crate::config::{QueueConfig, QueueEnd};

mod finish_request;
mod keys;
mod reply;
mod scripts;

use finish_request::FinishRequest;
use keys::Keys;
pub use reply::{FinishStatus, LeaseStatus, Reaped, Start};

/// The number of losses to vanished workers at which an entry becomes a dead letter.
pub const MAX_VANISHED: u32 = 10;

/// One list with its leases, counts and dead letters.
#[derive(Clone)]
pub struct Queue {
    keys: Keys,
    holder: Holder,
    rules: QueueConfig,
    redis: Arc<RedisClient>,
    /// The highest token that this process has received from the queue. A larger one follows even
    /// if Redis returns from an older state and its clock goes back, so this process never holds
    /// two claims under one id.
    highest_token: Arc<AtomicU64>,
}

impl Queue {
    /// Returns the queue `name`, whose claims `holder` holds.
    pub fn new(name: &str, holder: &Holder, rules: &QueueConfig, redis: Arc<RedisClient>) -> Self {
        Self {
            keys: Keys::new(name, rules),
            holder: holder.clone(),
            rules: rules.clone(),
            redis,
            highest_token: Arc::default(),
        }
    }

    /// Returns the list's key.
    pub fn name(&self) -> &str {
        self.keys.queue()
    }

    /// Returns the queue's limits and names.
    pub fn rules(&self) -> &QueueConfig {
        &self.rules
    }

    /// Claims the next entry, if there is one.
    ///
    /// # Errors
    /// Redis' own. If only the response was lost, the entry returns to the list when its lease
    /// ends.
    pub async fn fetch(&self) -> RedisResult<Option<Claim>> {
        let mut call = scripts::FETCH.key(self.name());
        call.key(self.keys.leases()).key(self.keys.fence()).key(self.keys.claim(""));
        let (pop, index) = self.pop();
        call.arg(pop).arg(index).arg(millis(self.rules.lease)).arg(&self.holder.worker_id);
        call.arg(self.holder.boot.to_string()).arg(self.highest_token.load(Ordering::Relaxed)).arg(MAX_BYTES + 1);
        let fetched: Option<(u64, Vec<u8>)> = self.redis.invoke(&self.step("fetch"), &call).await?;
        Ok(fetched.map(|(token, entry)| {
            self.highest_token.fetch_max(token, Ordering::Relaxed);
            Claim { id: ClaimId { token, boot: Some(self.holder.boot) }, entry }
        }))
    }

    /// Returns the commands that Redis would reject for this worker's user, each with its key; none
    /// if Redis is older than 7, which cannot check them.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn missing_rights(&self) -> RedisResult<Vec<String>> {
        let (pop, _) = self.pop();
        let commands = serde_json::json!(self.keys.needed_commands(pop, self.push())).to_string();
        self.redis.invoke("rights", &scripts::RIGHTS.arg(commands)).await
    }

    /// Stores the job id of a claim as soon as it is read.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn name_claim(&self, claim: ClaimId, id: &str) -> RedisResult<()> {
        let mut call = self.holder_call(&scripts::NAME, claim);
        call.arg(id);
        self.redis.invoke(&self.step("name"), &call).await
    }

    /// Decides whether a claim runs, now that its job id and payload are known.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn start(&self, claim: ClaimId, id: &str, payload_sha256: &str) -> RedisResult<Start> {
        let event = Event::now(id, Phase::Complete, Status::Completed).with_message("this job has succeeded before");
        let mut call = self.holder_call(&scripts::START, claim);
        self.add_job_keys(&mut call, id);
        call.arg(id).arg(payload_sha256).arg(event.to_json());
        self.redis.invoke(&self.step("start"), &call).await
    }

    /// Extends a lease.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn renew(&self, claim: ClaimId) -> RedisResult<LeaseStatus> {
        self.redis.invoke(&self.step("renew"), &self.renewal(claim)).await
    }

    /// Extends a lease over the caller's connection, for the thread that only renews.
    ///
    /// # Errors
    /// Redis' own.
    pub fn renew_on(&self, connection: &mut dyn ConnectionLike, claim: ClaimId) -> RedisResult<LeaseStatus> {
        self.renewal(claim).invoke(connection)
    }

    /// Ends a claim. `id` is the id of [`Queue::start`], or the id of an entry that is not a job if
    /// one can be read.
    ///
    /// # Errors
    /// Redis' own. Whether the outcome is accepted is then unknown, and the call may be repeated.
    pub async fn finish(&self, claim: ClaimId, id: Option<&str>, outcome: &ClaimOutcome) -> RedisResult<FinishStatus> {
        let request = FinishRequest::new(id, outcome, &self.rules);
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
        self.redis.invoke(&self.step("finish"), &call).await
    }

    /// Ends the claims of vanished workers, unless Redis runs the call after `not_after`, a time of
    /// [`Queue::now`].
    ///
    /// # Errors
    /// Redis' own.
    pub async fn reap(&self, not_after: u64) -> RedisResult<Vec<Reaped>> {
        let failure = worker_vanished();
        let event = Event::now("", Phase::Queued, Status::Failed).with_message(&failure.message);
        let keys = &self.keys;
        let mut call = scripts::REAP.key(self.name());
        call.key(keys.leases()).key(keys.dead()).key(keys.claim("")).key(keys.running(""));
        call.key(keys.count("")).key(keys.done("")).key(keys.result("")).key(channel(""));
        call.arg(not_after).arg(self.push()).arg(MAX_VANISHED).arg(self.rules.result_ttl_seconds());
        call.arg(serde_json::json!(DeadLetter::from(&failure)).to_string());
        call.arg(without_field("build_id", FailedResult::new(&failure, "", serde_json::Value::Null).to_json()));
        call.arg(without_field("job_id", serde_json::json!(event)));
        self.redis.invoke(&self.step("reap"), &call).await
    }

    /// Returns Redis' own clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn now(&self) -> RedisResult<u64> {
        let (seconds, micros): (u64, u64) = self.redis.query("time", &cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Returns the payload at a key, cut one byte after [`MAX_BYTES`]; `None` if the key does not
    /// exist.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn payload(&self, key: &str) -> RedisResult<Option<Vec<u8>>> {
        let bytes: Vec<u8> = self.redis.look_up(cmd("GETRANGE").arg(key).arg(0).arg(MAX_BYTES)).await?;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// Returns the number of entries of a list; 0 for a key of another type.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn length_of(&self, list: &str) -> RedisResult<u64> {
        match self.redis.look_up(cmd("LLEN").arg(list)).await {
            Err(error) if is_wrong_type(&error) => Ok(0),
            length => length,
        }
    }

    /// Blocks on the caller's connection until an entry arrives or `timeout` ends. Moving the next
    /// entry onto its own place wakes without removing it.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn wait(&self, redis: &RedisClient, timeout: Duration) -> RedisResult<()> {
        let end = match self.rules.end {
            QueueEnd::Left => "LEFT",
            QueueEnd::Right => "RIGHT",
        };
        let mut call = cmd("BLMOVE");
        call.arg(self.name()).arg(self.name()).arg(end).arg(end).arg(timeout.as_secs_f64());
        redis.query::<Option<Vec<u8>>>(&self.step("wait"), &call).await.map(drop)
    }

    /// Returns the name of a step at this queue in the log.
    pub fn step(&self, name: &str) -> String {
        format!("{name} at `{}`", self.name())
    }

    fn renewal(&self, claim: ClaimId) -> ScriptInvocation<'static> {
        let mut call = self.holder_call(&scripts::RENEW, claim);
        call.arg(millis(self.rules.lease));
        call
    }

    /// Returns a call of a script that acts for the holder of a claim, with the keys and arguments
    /// that all of these scripts begin with.
    fn holder_call(&self, script: &'static Script, claim: ClaimId) -> ScriptInvocation<'static> {
        let mut call = script.key(self.keys.leases());
        call.key(self.keys.claim(claim.token)).arg(claim.token).arg(claim.boot_text());
        call
    }

    fn add_job_keys(&self, call: &mut ScriptInvocation, id: &str) {
        let keys = &self.keys;
        call.key(keys.result(id)).key(channel(id)).key(keys.running(id)).key(keys.count(id)).key(keys.done(id));
    }

    /// Returns the command that removes the next entry, and the entry's index.
    fn pop(&self) -> (&'static str, i8) {
        match self.rules.end {
            QueueEnd::Left => ("LPOP", 0),
            QueueEnd::Right => ("RPOP", -1),
        }
    }

    /// Returns the command that makes an entry the next one.
    fn push(&self) -> &'static str {
        match self.rules.end {
            QueueEnd::Left => "LPUSH",
            QueueEnd::Right => "RPUSH",
        }
    }
}

/// Returns the failure of a job that too many workers have claimed and left unfinished.
fn worker_vanished() -> Failure {
    let message = format!("{MAX_VANISHED} workers took this job and vanished");
    let hint = "look for what kills the workers (memory?), then submit the job again";
    Failure::failed(Phase::Queued, ErrorCode::WorkerVanished, message, hint)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn without_field(field: &str, mut object: serde_json::Value) -> String {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
    object.to_string()
}
