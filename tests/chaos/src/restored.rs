//! The state of Redis after it has reverted to an older one, and the jobs that must still finish.
//!
//! In: a restored Redis, or a replica that was promoted. Out: a corrected [`Ledger`]. A job is lost
//! only if this state contained it or a live worker held it at that time.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use oculus_tests::redis_server::{LEASES, QUEUE};
use redis::{Connection, FromRedisValue, Pipeline, RedisResult, Value, from_redis_value, pipe};

use crate::event::{STATE_MARK, Token, pid_of_worker};
use crate::fault::FaultKind;
use crate::jobs::{JobNumber, ResultSummary, id_of, number_of, version_in};
use crate::ledger::{HeldClaim, Ledger};

/// The number of keys per request.
const N_KEYS: usize = 500;

/// Reads the fields of each claim.
const READ_CLAIMS: &str = "local claims = {}
for _, token in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local fields = redis.call('HMGET', ARGV[1] .. token, 'entry', 'worker', 'attempt')
  table.insert(claims, {token, {fields[1] or '', fields[2] or '', fields[3] or ''}})
end
return claims";

/// The circumstances in which Redis reverted to an older state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reversion<'a> {
    /// The fault.
    pub(crate) kind: FaultKind,
    /// The process ids of the workers that are running.
    pub(crate) live: &'a [u32],
    /// The length of a lease.
    pub(crate) lease_ttl: Duration,
}

/// The number of jobs that a reversion concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RestoreSummary {
    /// Jobs that Redis knows: queued, claimed or with a result.
    pub(crate) n_known: usize,
    /// Jobs that only a live worker knows.
    pub(crate) n_held: usize,
    /// Jobs that neither knows.
    pub(crate) n_forgotten: usize,
}

impl fmt::Display for RestoreSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_known, n_held, n_forgotten } = self;
        write!(f, "Redis knows {n_known} jobs, only workers know {n_held}, forgotten {n_forgotten}")
    }
}

/// The jobs that Redis knows.
pub(crate) struct RestoredState {
    /// The number of waiting entries per job.
    n_queued: HashMap<JobNumber, u32>,
    claims: HashMap<Token, HeldClaim>,
    /// The version of each job's payload.
    payloads: HashMap<JobNumber, u32>,
    /// The version of each job's result; `None` if the result does not state it.
    results: HashMap<JobNumber, Option<u32>>,
}

impl RestoredState {
    /// Reads the state and sets a mark in one transaction, so that the mark in the append-only file
    /// separates the writes before the state from those after it.
    ///
    /// # Errors
    /// Returns [`redis::RedisError`] if Redis does not respond.
    pub(crate) fn read(connection: &mut Connection, jobs: &[JobNumber], mark: &str) -> RedisResult<Self> {
        let mut request = pipe();
        request.atomic().cmd("LRANGE").arg(QUEUE).arg(0).arg(-1);
        request.cmd("EVAL").arg(READ_CLAIMS).arg(1).arg(LEASES).arg(format!("{{{QUEUE}}}:job:"));
        add_reads(&mut request, "job", jobs);
        add_reads(&mut request, "result", jobs);
        request.cmd("SET").arg(STATE_MARK).arg(mark);
        let mut replies = request.query::<Vec<Value>>(connection)?.into_iter();
        let mut n_queued = HashMap::new();
        let entries: Vec<Vec<u8>> = next_reply(&mut replies)?;
        for job in entries.iter().filter_map(|entry| number_of(entry)) {
            *n_queued.entry(job).or_insert(0) += 1;
        }
        let claims: Vec<(Token, [Vec<u8>; 3])> = next_reply(&mut replies)?;
        let claims = claims.into_iter().map(|(token, fields)| (token, claim(&fields))).collect();
        let payloads = versions_in(&mut replies, jobs, |text| version_in(&String::from_utf8_lossy(text)))?;
        let payloads = payloads.into_iter().filter_map(|(job, version)| Some((job, version?))).collect();
        let results = versions_in(&mut replies, jobs, |text| ResultSummary::read(text).version)?;
        Ok(Self { n_queued, claims, payloads, results })
    }

    /// Corrects the ledger.
    pub(crate) fn apply_to(mut self, ledger: &mut Ledger, reversion: Reversion) -> RestoreSummary {
        let Reversion { kind, live, lease_ttl } = reversion;
        let mut held_before: Vec<_> =
            ledger.claims_where(|claim| claim.is_held_by(live)).into_iter().map(|(_, claim)| claim).collect();
        held_before.extend(still_held_outside(ledger));
        for (token, claim) in &mut self.claims {
            let before = ledger.claims.remove(token);
            claim.is_stale = before.is_none_or(|before| before.is_stale);
            claim.at = before.map_or(claim.at, |before| before.at);
            claim.version = claim.job.and_then(|job| self.payloads.get(&job)).copied();
        }
        let lost = std::mem::replace(&mut ledger.claims, self.claims.clone());
        ledger.lost_claims.extend(lost.into_iter().map(|(token, claim)| (token, claim.at)));
        let until = Instant::now() + lease_ttl * 3;
        for pid in self.claims.values().filter_map(|claim| claim.worker_pid) {
            ledger.restored_claim(kind, pid, until);
        }
        ledger.held_outside.clear();
        ledger.recovery.drop_interruptions();
        let jobs: Vec<JobNumber> = ledger.records.iter().filter(|(_, r)| r.is_pushed()).map(|(job, _)| *job).collect();
        let mut summary = RestoreSummary::default();
        for job in jobs {
            let holders = held_before.iter().filter(|claim| claim.job == Some(job));
            self.apply_to_job(ledger, job, &holders.copied().collect::<Vec<_>>());
            let is_forgotten = ledger.records.get(&job).is_some_and(|record| record.is_forgotten);
            summary.n_forgotten += usize::from(is_forgotten);
            summary.n_known += usize::from(!is_forgotten);
        }
        summary.n_held = ledger.held_outside.len();
        summary.n_known -= summary.n_held;
        summary
    }

    fn apply_to_job(&self, ledger: &mut Ledger, job: JobNumber, holders: &[HeldClaim]) {
        let n_claims = self.claims.values().filter(|claim| claim.job == Some(job)).count();
        let n_entries = self.n_queued.get(&job).copied().unwrap_or(0) + u32::try_from(n_claims).unwrap_or(u32::MAX);
        let result = self.results.get(&job);
        let mut versions: BTreeSet<u32> = holders.iter().filter_map(|claim| claim.version).collect();
        if n_entries > 0 {
            versions.extend(self.payloads.get(&job));
        } else {
            versions.extend(result.copied().flatten());
        }
        let may_be_adopted = !holders.is_empty() || result.is_none();
        if let Some(record) = ledger.records.get_mut(&job) {
            record.restore(n_entries.max(u32::from(may_be_adopted)), versions);
        }
        if n_entries > 0 || !holders.is_empty() {
            ledger.require(job);
        } else if result.is_none() {
            ledger.forget(job);
        } else {
            ledger.require(job);
            ledger.open.remove(&job);
        }
        if let (0, None, Some(pid)) = (n_entries, result, holders.last().and_then(|claim| claim.worker_pid)) {
            ledger.held_outside.insert(job, (pid, Instant::now()));
        }
    }
}

/// Returns the jobs that only a live worker has known since an earlier reversion, as claims.
fn still_held_outside(ledger: &Ledger) -> Vec<HeldClaim> {
    let held = ledger.held_outside.iter().map(|(job, (pid, at))| HeldClaim {
        job: Some(*job),
        worker_pid: Some(*pid),
        at: *at,
        is_started: true,
        is_stale: false,
        version: ledger.records.get(job).and_then(|record| record.expected_versions.last().copied()),
    });
    held.collect()
}

fn claim([entry, worker, attempt]: &[Vec<u8>; 3]) -> HeldClaim {
    let (job, worker_pid, is_started) = (number_of(entry), pid_of_worker(worker), !attempt.is_empty());
    HeldClaim { job, worker_pid, at: Instant::now(), is_started, version: None, is_stale: false }
}

/// Reads the values at `<prefix>:<id>` of jobs, and returns the version of each value that exists.
pub(crate) fn read_versions<T>(
    connection: &mut Connection,
    prefix: &str,
    jobs: &[JobNumber],
    version_of: impl Fn(&[u8]) -> T,
) -> RedisResult<HashMap<JobNumber, T>> {
    let mut request = pipe();
    add_reads(&mut request, prefix, jobs);
    let replies: Vec<Value> = request.query(connection)?;
    versions_in(&mut replies.into_iter(), jobs, version_of)
}

/// Adds the requests for the values at `<prefix>:<id>` of jobs.
fn add_reads(request: &mut Pipeline, prefix: &str, jobs: &[JobNumber]) {
    for jobs in jobs.chunks(N_KEYS) {
        request.cmd("MGET");
        for job in jobs {
            request.arg(format!("{prefix}:{}", id_of(*job)));
        }
    }
}

/// Returns the version of each value that exists, from the replies to [`add_reads`].
fn versions_in<T>(
    replies: &mut impl Iterator<Item = Value>,
    jobs: &[JobNumber],
    version_of: impl Fn(&[u8]) -> T,
) -> RedisResult<HashMap<JobNumber, T>> {
    let mut found = HashMap::new();
    for jobs in jobs.chunks(N_KEYS) {
        let values: Vec<Option<Vec<u8>>> = next_reply(replies)?;
        let values = jobs.iter().zip(values).filter_map(|(job, value)| Some((*job, version_of(&value?))));
        found.extend(values);
    }
    Ok(found)
}

fn next_reply<T: FromRedisValue>(replies: &mut impl Iterator<Item = Value>) -> RedisResult<T> {
    Ok(from_redis_value(replies.next().unwrap_or(Value::Nil))?)
}
