//! The backend of a run: pushes jobs, pushes them again, and cancels them.
//!
//! In: the options and the requests of the injector. Out: pushes in Redis. Invariant: a push whose
//! response was lost is repeated only if Redis did not commit it.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context, Result};
use oculus_tests::redis_server::QUEUE;
use redis::{Connection, RedisResult, Script, pipe};

use crate::event::{PUSH_MARK, Push, Token};
use crate::jobs::{self, JobKind, JobNumber, id_of};
use crate::random::{Purpose, Random};
use crate::suite::{POLL_EVERY, Suite};

/// The number of jobs without a result at which the producer waits for the workers.
const MAX_OPEN: usize = 32;

/// The number of new jobs per request.
const BATCH: usize = 8;

/// The number of new jobs per 1000 that are pushed twice at once, and the number that are pushed
/// again at once with a different payload.
const REPEATED_PER_MILLE: u32 = 20;

/// The lifetime of a cancel key in seconds.
const CANCEL_KEY_TTL: u64 = 60;

/// A request of the injector.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// Push a job again.
    PushAgain { job: JobNumber, changes: bool },
    /// Set the field `cancel` of a claim.
    CancelClaim(Token),
    /// Set the cancel key of a job.
    CancelKey(JobNumber),
}

/// Pushes jobs until the run stops or all jobs are pushed. Handles the requests until the injector
/// has dropped their sender.
pub(crate) struct Producer<'s> {
    suite: &'s Suite,
    random: Random,
    connection: Option<Connection>,
    /// The number of fail-overs before the connection was opened.
    n_fail_overs: u32,
    n_jobs: u32,
}

impl<'s> Producer<'s> {
    /// Creates the producer of a run.
    pub(crate) fn new(suite: &'s Suite) -> Self {
        let random = Random::new(suite.options.seed, Purpose::Jobs);
        Self { suite, random, connection: None, n_fail_overs: 0, n_jobs: 0 }
    }

    /// Runs until the injector has dropped the sender of `requests`.
    ///
    /// # Errors
    /// Returns an error if the append-only file cannot be read.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) -> Result<()> {
        loop {
            match requests.recv_timeout(POLL_EVERY) {
                Ok(request) => self.handle(request)?,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while self.has_more_jobs() && self.suite.n_open() < MAX_OPEN {
                self.push_new_jobs()?;
                while let Ok(request) = requests.try_recv() {
                    self.handle(request)?;
                }
            }
        }
    }

    fn has_more_jobs(&self) -> bool {
        let is_done = self.suite.options.max_jobs().is_some_and(|max| self.n_jobs >= max);
        if is_done {
            self.suite.is_producer_done.store(true, Ordering::Relaxed);
        }
        !is_done && !self.suite.is_stopping.load(Ordering::Relaxed)
    }

    fn push_new_jobs(&mut self) -> Result<()> {
        let max = self.suite.options.max_jobs().unwrap_or(u32::MAX);
        let mut pushes = Vec::new();
        while pushes.len() < BATCH && self.n_jobs < max {
            self.n_jobs += 1;
            let job = self.n_jobs;
            let kind = JobKind::draw(&mut self.random, self.suite.options.trainings);
            let is_duplicated = self.random.per_mille(REPEATED_PER_MILLE);
            let is_changed = self.random.per_mille(REPEATED_PER_MILLE);
            let mut witness = self.suite.witness.lock();
            witness.ledger.add_job(job, kind);
            pushes.extend(witness.ledger.next_push(job, true));
            if is_duplicated {
                pushes.extend(witness.ledger.next_push(job, false));
            }
            if is_changed {
                pushes.extend(witness.ledger.next_push(job, true));
            }
        }
        self.push(pushes)
    }

    fn handle(&mut self, request: Request) -> Result<()> {
        match request {
            Request::PushAgain { job, changes } => {
                let push = self.suite.witness.lock().ledger.next_push(job, changes);
                self.push(push.into_iter().collect())
            }
            // A cancellation may get lost with the connection, as it may for any backend.
            Request::CancelClaim(token) => self.attempt(|connection| cancel_claim(connection, token)).map(drop),
            Request::CancelKey(job) => self.attempt(|connection| cancel_key(connection, job)).map(drop),
        }
    }

    /// Pushes jobs until Redis has committed all pushes.
    fn push(&mut self, mut pushes: Vec<(Push, JobKind)>) -> Result<()> {
        while !pushes.is_empty() {
            let is_sent = self.attempt(|connection| push_all(connection, &pushes))?.is_some();
            let mut witness = self.suite.witness.lock();
            let ledger = witness.catch_up().context("cannot read the append-only file")?;
            pushes.retain(|(push, _)| !is_sent && !ledger.is_committed(*push));
        }
        Ok(())
    }

    /// Sends requests to Redis, and returns `None` if Redis did not respond.
    fn attempt<T>(&mut self, send: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Result<Option<T>> {
        loop {
            // The gate is closed while a snapshot is restored. A push in that time would be counted
            // as a part of the restored state.
            let _gate = self.suite.gate.lock();
            // Clients that subscribe to the sentinels leave a former primary, even if it responds.
            let n_fail_overs = self.suite.n_fail_overs.load(Ordering::Relaxed);
            if n_fail_overs > self.n_fail_overs {
                self.connection = None;
                self.n_fail_overs = n_fail_overs;
            }
            if let Some(connection) = &mut self.connection {
                let sent = send(connection);
                if sent.is_err() {
                    self.connection = None;
                }
                return Ok(sent.ok());
            }
            self.connection = self.suite.address.connect();
            if self.connection.is_none() {
                drop(_gate);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn push_all(connection: &mut Connection, pushes: &[(Push, JobKind)]) -> RedisResult<()> {
    let mut requests = pipe();
    for (push, kind) in pushes {
        let id = id_of(push.job);
        // The payload, the entry and the mark are one transaction, so that the append-only file
        // contains either all of them or none.
        requests.cmd("MULTI").cmd("SET").arg(format!("job:{id}")).arg(jobs::payload(push.job, *kind, push.version));
        requests.cmd("LPUSH").arg(QUEUE).arg(&id).cmd("SET").arg(PUSH_MARK).arg(push.to_mark()).cmd("EXEC");
    }
    requests.exec(connection)
}

/// Sets the field `cancel`, unless the claim has ended: the field alone would look like a claim.
fn cancel_claim(connection: &mut Connection, token: Token) -> RedisResult<()> {
    let script = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'cancel', '1') end";
    Script::new(script).key(format!("{{{QUEUE}}}:job:{token}")).invoke(connection)
}

fn cancel_key(connection: &mut Connection, job: JobNumber) -> RedisResult<()> {
    let key = format!("{{{QUEUE}}}:cancel:{}", id_of(job));
    redis::cmd("SET").arg(key).arg("1").arg("EX").arg(CANCEL_KEY_TTL).exec(connection)
}
