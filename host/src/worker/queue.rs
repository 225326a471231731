//! One queue in Redis: entries go from the list into a worker's hands and from there to a result, in atomic steps.
//!
//! In: the list that the backend pushes to. Out: [`Claim`]s, and their endings.
//! Invariant: every entry is at any moment in the list, under a live lease, or ended; the scripts under `scripts/` are
//! the only writers, and Redis' clock is the only clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::claim::{Claim, ClaimId, Holder};
use super::claim_outcome::{ClaimOutcome, DeadLetter, FinishStatus};
use super::entry::MAX_BYTES;
use super::redis_client::RedisClient;
use crate::config::{QueueConfig, QueueEnd};
use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::{Event, Phase, Status, channel};
use redis::{ConnectionLike, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, cmd};

mod finish_request;
mod keys;

use finish_request::FinishRequest;
use keys::Keys;

/// Losses to vanished workers until a job is given up.
pub const MAX_VANISHED: u32 = 10;

macro_rules! script {
    ($($file:literal),+) => { LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+))) };
}

static FETCH: LazyLock<Script> = script!("fetch.lua");
static NAME: LazyLock<Script> = script!("holder.lua", "name.lua");
static START: LazyLock<Script> = script!("holder.lua", "start.lua");
static RENEW: LazyLock<Script> = script!("holder.lua", "renew.lua");
static FINISH: LazyLock<Script> = script!("holder.lua", "ownership.lua", "dead_letter.lua", "finish.lua");
static REAP: LazyLock<Script> = script!("ownership.lua", "dead_letter.lua", "reap.lua");
static RIGHTS: LazyLock<Script> = script!("rights.lua");

/// What a claim turns out to be, once its id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// To be run.
    Run {
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Deaths of the job's process so far.
        crashes: u32,
    },
    /// A job of this id runs already, under another token; this entry is dropped.
    Running {
        /// That other token.
        token: u64,
    },
    /// This payload has succeeded already; `complete` was published again.
    Done,
    /// The lease was lost meanwhile.
    Lost,
}

/// What a renewal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// The job is ours.
    Held,
    /// The job is ours, and somebody asks for its end.
    Cancelled,
    /// The job is in other hands or ended.
    Lost,
}

/// A job that was taken from a vanished worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// [`FinishStatus::Requeued`] or [`FinishStatus::Dead`].
    pub verdict: FinishStatus,
    /// Its id, if the worker came as far as reading it.
    pub id: Option<String>,
    /// Who vanished.
    pub worker: String,
}

/// One list with its leases, counts and dead letters.
#[derive(Clone)]
pub struct Queue {
    keys: Keys,
    holder: Holder,
    rules: QueueConfig,
    link: Arc<RedisClient>,
    /// The highest token that this process has received from the queue. A larger one follows even if Redis returns from
    /// an older state and its clock goes back, so this process never holds two claims under one id.
    highest_token: Arc<AtomicU64>,
}

impl Queue {
    /// Returns the queue `name`, whose claims `holder` holds.
    pub fn new(name: &str, holder: &Holder, rules: &QueueConfig, link: Arc<RedisClient>) -> Self {
        Self {
            keys: Keys::new(name, rules),
            holder: holder.clone(),
            rules: rules.clone(),
            link,
            highest_token: Arc::default(),
        }
    }

    /// The list's key.
    pub fn name(&self) -> &str {
        self.keys.queue()
    }

    /// The limits and names that this queue goes by.
    pub fn rules(&self) -> &QueueConfig {
        &self.rules
    }

    /// Takes the next entry, if there is one.
    ///
    /// # Errors
    /// Redis' own. If only the answer was lost, the entry comes back when its lease ends.
    pub async fn fetch(&self) -> RedisResult<Option<Claim>> {
        let mut call = FETCH.key(self.name());
        call.key(self.keys.leases()).key(self.keys.fence()).key(self.keys.job(""));
        let (pop, index) = self.pop();
        call.arg(pop).arg(index).arg(millis(self.rules.lease)).arg(&self.holder.worker_id);
        call.arg(self.holder.boot.to_string()).arg(self.highest_token.load(Ordering::Relaxed)).arg(MAX_BYTES + 1);
        let fetched: Option<(u64, Vec<u8>)> = self.link.invoke(&self.doing("fetch"), &call).await?;
        Ok(fetched.map(|(token, entry)| {
            self.highest_token.fetch_max(token, Ordering::Relaxed);
            Claim { id: ClaimId { token, boot: Some(self.holder.boot) }, entry }
        }))
    }

    /// Which commands Redis would refuse this worker's user, each with its key; none where Redis cannot tell.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn missing_rights(&self) -> RedisResult<Vec<String>> {
        let commands = serde_json::json!(self.keys.needed_commands(self.pop().0, self.push())).to_string();
        self.link.invoke("rights", &RIGHTS.arg(commands)).await
    }

    /// Stores the job id of a claim as soon as it is read.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn name_claim(&self, claim: ClaimId, id: &str) -> RedisResult<()> {
        let mut call = self.holder_call(&NAME, claim);
        call.arg(id);
        self.link.invoke(&self.doing("name"), &call).await
    }

    /// Says whether a claim is to be run, now that its id and payload are known.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn start(&self, claim: ClaimId, id: &str, payload_sha256: &str) -> RedisResult<Start> {
        let event = Event::now(id, Phase::Complete, Status::Completed).with_message("this job has succeeded before");
        let mut call = self.holder_call(&START, claim);
        self.name_keys(&mut call, id);
        call.arg(id).arg(payload_sha256).arg(event.to_json());
        let answer: Vec<redis::Value> = self.link.invoke(&self.doing("start"), &call).await?;
        let word = |index: usize| answer.get(index).cloned().unwrap_or(redis::Value::Nil);
        match String::from_redis_value(word(0))?.as_str() {
            "run" => {
                let (attempt, crashes) =
                    (FromRedisValue::from_redis_value(word(1))?, FromRedisValue::from_redis_value(word(2))?);
                Ok(Start::Run { attempt, crashes })
            }
            "running" => Ok(Start::Running { token: FromRedisValue::from_redis_value(word(1))? }),
            "done" => Ok(Start::AlreadySucceeded),
            "lost" => Ok(Start::Lost),
            other => Err(unknown("start", other)),
        }
    }

    /// Extends a lease.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn renew(&self, claim: ClaimId) -> RedisResult<LeaseStatus> {
        standing(&self.link.invoke::<String>(&self.doing("renew"), &self.renewal(claim)).await?)
    }

    /// The same on a connection of the caller's, for a thread that does nothing else.
    ///
    /// # Errors
    /// Redis' own.
    pub fn renew_on(&self, connection: &mut dyn ConnectionLike, claim: ClaimId) -> RedisResult<LeaseStatus> {
        standing(&self.renewal(claim).invoke::<String>(connection)?)
    }

    /// Ends a claim. `id` is that of [`Queue::start`], or whatever could be read of an entry that is no job.
    ///
    /// # Errors
    /// Redis' own: then nothing is known, and the same call may be made again.
    pub async fn finish(&self, claim: ClaimId, id: Option<&str>, outcome: &ClaimOutcome) -> RedisResult<FinishStatus> {
        let order = FinishRequest::new(id, outcome, &self.rules);
        let order = serde_json::to_string(&order).map_err(|error| RedisError::from(std::io::Error::other(error)))?;
        let answer = outcome.answer();
        let mut call = FINISH.key(self.name());
        call.key(self.keys.leases()).key(self.keys.job(claim.token)).key(self.keys.dead()).key(self.keys.count(""));
        if let Some(id) = id {
            self.name_keys(&mut call, id);
        }
        call.arg(claim.token).arg(claim.boot_text()).arg(self.push()).arg(&answer.result).arg(&answer.event).arg(order);
        finish(&self.link.invoke::<String>(&self.doing("finish"), &call).await?)
    }

    /// Takes back what vanished workers held, unless Redis comes to it only after `not_after`, a [`Queue::now`].
    ///
    /// # Errors
    /// Redis' own.
    pub async fn reap(&self, not_after: u64) -> RedisResult<Vec<Reaped>> {
        let message = format!("{MAX_VANISHED} workers took this job and vanished");
        let hint = "look for what kills the workers (memory?), then submit the job again";
        let failure = Failure::failed(Phase::Queued, ErrorCode::WorkerVanished, message, hint).retryable();
        let letter = DeadLetter::from(&failure);
        let event = Event::now("", Phase::Queued, Status::Failed).with_message(&failure.message);
        let mut call = REAP.key(self.name());
        call.key(self.keys.leases()).key(self.keys.dead()).key(self.keys.job("")).key(self.keys.running(""));
        call.key(self.keys.count("")).key(self.keys.done("")).key(self.keys.result("")).key(channel(""));
        call.arg(not_after).arg(self.push()).arg(MAX_VANISHED).arg(self.ttl_seconds());
        call.arg(serde_json::json!(letter).to_string());
        call.arg(without_field("build_id", failure.to_result("", serde_json::Value::Null)));
        call.arg(without_field("job_id", serde_json::json!(event)));
        let reaped: Vec<(String, String, String)> = self.link.invoke(&self.doing("reap"), &call).await?;
        let reaped = reaped.into_iter().map(|(verdict, id, worker)| {
            Ok(Reaped { verdict: finish(&verdict)?, id: Some(id).filter(|id| !id.is_empty()), worker })
        });
        reaped.collect()
    }

    /// Redis' own clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn now(&self) -> RedisResult<u64> {
        let (seconds, micros): (u64, u64) = self.link.query("time", &cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// The payload at a key, cut one byte after [`MAX_BYTES`]; `None` where nothing is.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn payload(&self, key: &str) -> RedisResult<Option<Vec<u8>>> {
        let bytes: Vec<u8> = self.link.look_up(cmd("GETRANGE").arg(key).arg(0).arg(MAX_BYTES)).await?;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// How many entries a list holds; 0 for a key that is no list.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn length_of(&self, list: &str) -> RedisResult<u64> {
        match self.link.look_up(cmd("LLEN").arg(list)).await {
            Err(error) if super::redis_client::is_about_the_data(&error) => Ok(0),
            answer => answer,
        }
    }

    /// Sleeps until an entry arrives or `timeout` ends, on a link of the caller's: moving the next entry onto its own
    /// place wakes without removing anything.
    ///
    /// # Errors
    /// Redis' own.
    pub async fn wait(&self, link: &RedisClient, timeout: Duration) -> RedisResult<()> {
        let end = match self.rules.end {
            QueueEnd::Left => "LEFT",
            QueueEnd::Right => "RIGHT",
        };
        let mut call = cmd("BLMOVE");
        call.arg(self.name()).arg(self.name()).arg(end).arg(end).arg(timeout.as_secs_f64());
        link.query::<Option<Vec<u8>>>(&self.doing("wait"), &call).await.map(drop)
    }

    /// What the log calls a step at this queue.
    pub fn doing(&self, step: &str) -> String {
        format!("{step} at `{}`", self.name())
    }

    fn renewal(&self, claim: ClaimId) -> ScriptInvocation<'static> {
        let mut call = self.holder_call(&RENEW, claim);
        call.arg(millis(self.rules.lease));
        call
    }

    /// Returns a call of a script that acts for the holder of a claim, with the keys and arguments that all of these
    /// scripts begin with.
    fn holder_call(&self, script: &'static Script, claim: ClaimId) -> ScriptInvocation<'static> {
        let mut call = script.key(self.keys.leases());
        call.key(self.keys.job(claim.token)).arg(claim.token).arg(claim.boot_text());
        call
    }

    fn name_keys(&self, call: &mut ScriptInvocation, id: &str) {
        let keys = &self.keys;
        call.key(keys.result(id)).key(channel(id)).key(keys.running(id)).key(keys.count(id)).key(keys.done(id));
    }

    fn ttl_seconds(&self) -> u64 {
        self.rules.result_ttl.map_or(0, |ttl| ttl.as_secs())
    }

    /// The command that takes, and the index that it takes from.
    fn pop(&self) -> (&'static str, i8) {
        match self.rules.end {
            QueueEnd::Left => ("LPOP", 0),
            QueueEnd::Right => ("RPOP", -1),
        }
    }

    /// Back to the end that is taken from.
    fn push(&self) -> &'static str {
        match self.rules.end {
            QueueEnd::Left => "LPUSH",
            QueueEnd::Right => "RPUSH",
        }
    }
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

fn standing(word: &str) -> RedisResult<LeaseStatus> {
    match word {
        "held" => Ok(LeaseStatus::Held),
        "cancelled" => Ok(LeaseStatus::Cancelled),
        "lost" => Ok(LeaseStatus::Lost),
        other => Err(unknown("renew", other)),
    }
}

fn finish(word: &str) -> RedisResult<FinishStatus> {
    match word {
        "finished" => Ok(FinishStatus::Finished),
        "requeued" => Ok(FinishStatus::Requeued),
        "dead" => Ok(FinishStatus::Dead),
        "fenced" => Ok(FinishStatus::Fenced),
        other => Err(unknown("finish", other)),
    }
}

fn unknown(script: &str, word: &str) -> RedisError {
    RedisError::from(std::io::Error::other(format!("the script {script} answered `{word}`, which it never does")))
}
