//! The ledger of a run: what was pushed, what workers hold, and what Redis accepted.
//!
//! In: [`QueueEvent`]s and faults. Out: [`JobRecord`]s and recovery times. Invariant: an entry of the
//! queue ends in at most one accepted result, so a job has at most as many results as entries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::event::{ClaimEnding, Push, QueueEvent, Token};
use crate::fault::FaultKind;
use crate::job_record::JobRecord;
use crate::jobs::{JobKind, JobNumber, ResultSummary};
use crate::recovery::Recovery;

/// A claim that Redis knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldClaim {
    /// The job, if the entry is the id of one.
    pub(crate) job: Option<JobNumber>,
    /// The process that claimed the entry.
    pub(crate) worker_pid: Option<u32>,
    /// The time of the claim.
    pub(crate) at: Instant,
    /// True if the job was started.
    pub(crate) is_started: bool,
    /// The newest version of the job at the time of the claim.
    pub(crate) version: Option<u32>,
    /// True if the claim is from an older state of Redis, and its worker no longer held it.
    pub(crate) is_stale: bool,
}

impl HeldClaim {
    /// Returns whether one of these worker processes certainly holds the job. A claim that has not
    /// started may be one whose reply was lost.
    pub(crate) fn is_held_by(&self, worker_pids: &[u32]) -> bool {
        self.is_started && !self.is_stale && self.worker_pid.is_some_and(|pid| worker_pids.contains(&pid))
    }
}

/// The ledger of a run.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The jobs.
    pub(crate) records: BTreeMap<JobNumber, JobRecord>,
    /// The claims.
    pub(crate) claims: HashMap<Token, HeldClaim>,
    /// The jobs whose last push has no result yet.
    pub(crate) open: BTreeSet<JobNumber>,
    /// The times of claims that Redis has lost since it reverted to an older state.
    pub(crate) lost_claims: HashMap<Token, Instant>,
    /// Recovery times.
    pub(crate) recovery: Recovery,
    /// Dead letters that no fault explains.
    pub(crate) unexplained: Vec<(Option<JobNumber>, String)>,
    /// The number of dead letters that faults explain.
    pub(crate) n_explained_letters: u32,
    /// The number of leases that expired although no fault affected the worker.
    pub(crate) n_reaped_without_fault: u32,
    /// The number of results that Redis accepted.
    pub(crate) n_accepted: u64,
    committed: HashSet<u64>,
    n_pushes: u64,
    /// Kills of job processes that have not led to a crash yet: the worker and the time.
    job_kills: Vec<(u32, Instant)>,
    /// The time until which a fault may prevent each worker process from renewing its leases.
    disturbed: HashMap<u32, Instant>,
    /// The time until which a claim of each worker process may expire, because it is from an older
    /// state of Redis.
    restored_claims: HashMap<u32, Instant>,
    /// Jobs that only a live worker knows, since Redis reverted to an older state: the process id
    /// of the worker and the time of the reversion.
    pub(crate) held_outside: HashMap<JobNumber, (u32, Instant)>,
}

impl Ledger {
    /// Registers a new job.
    pub(crate) fn add_job(&mut self, job: JobNumber, kind: JobKind) {
        self.records.insert(job, JobRecord::new(kind));
    }

    /// Returns the next push of a job.
    ///
    /// * `changes`: whether the payload differs from the last push.
    pub(crate) fn next_push(&mut self, job: JobNumber, changes: bool) -> Option<(Push, JobKind)> {
        let record = self.records.get_mut(&job)?;
        record.last_version += u32::from(changes || record.last_version == 0);
        self.n_pushes += 1;
        Some((Push { number: self.n_pushes, job, version: record.last_version }, record.kind))
    }

    /// Returns whether Redis has committed a push.
    pub(crate) fn is_committed(&self, push: Push) -> bool {
        self.committed.contains(&push.number)
    }

    /// Returns the claims of a worker process.
    pub(crate) fn claims_of(&self, worker_pid: u32) -> Vec<(Token, HeldClaim)> {
        self.claims_where(|claim| claim.worker_pid == Some(worker_pid))
    }

    /// Returns the claims that satisfy a condition, by token.
    pub(crate) fn claims_where(&self, condition: impl Fn(&HeldClaim) -> bool) -> Vec<(Token, HeldClaim)> {
        let mut found: Vec<_> =
            self.claims.iter().filter(|(_, claim)| condition(claim)).map(|(t, c)| (*t, *c)).collect();
        found.sort_unstable_by_key(|(token, _)| *token);
        found
    }

    /// Records that a fault affects the claims of a worker process from a time on.
    pub(crate) fn disturb_worker(&mut self, kind: FaultKind, worker_pid: u32, at: Instant) {
        let last = self.disturbed.entry(worker_pid).or_insert(at);
        *last = at.max(*last);
        self.mark_worker(kind, worker_pid);
    }

    /// Records that an older state of Redis contains a claim of a worker process, which may have
    /// finished or died since that state.
    pub(crate) fn restored_claim(&mut self, kind: FaultKind, worker_pid: u32, until: Instant) {
        self.restored_claims.insert(worker_pid, until);
        self.mark_worker(kind, worker_pid);
    }

    /// Records that a fault of Redis affects all claims.
    pub(crate) fn disturb_all(&mut self, kind: FaultKind, worker_pids: &[u32], at: Instant) {
        for pid in worker_pids {
            self.disturb_worker(kind, *pid, at);
        }
    }

    /// Records that a fault affects the jobs of a worker process, but not its leases.
    pub(crate) fn mark_worker(&mut self, kind: FaultKind, worker_pid: u32) {
        for (_, claim) in self.claims_of(worker_pid) {
            self.mark(kind, claim.job);
        }
    }

    /// Records that the newest version of a job is cancelled.
    pub(crate) fn cancel(&mut self, kind: FaultKind, job: JobNumber, at: Instant) {
        self.mark(kind, Some(job));
        self.recovery.cancelled(kind, job, at);
        if let Some(record) = self.records.get_mut(&job) {
            record.cancelled();
        }
    }

    /// Records that a fault interrupts all jobs of a worker process, so that they have to restart.
    pub(crate) fn interrupt_worker(&mut self, kind: FaultKind, worker_pid: u32, at: Instant) {
        for (token, claim) in self.claims_of(worker_pid) {
            if let Some(job) = claim.job {
                self.recovery.interrupt(kind, job, token, at);
            }
        }
    }

    /// Records that a worker process is dead: jobs that only this process knew are gone, except
    /// those whose result is in its spool.
    pub(crate) fn worker_died(&mut self, worker_pid: u32, spooled: &[JobNumber]) {
        let held = self.held_outside.iter().filter(|(_, (pid, _))| *pid == worker_pid);
        for job in held.map(|(job, _)| *job).collect::<Vec<_>>() {
            self.held_outside.remove(&job);
            if !spooled.contains(&job) {
                self.forget(job);
            }
        }
    }

    /// Records as lost every job that only a live worker knew, and that the worker has not added to
    /// Redis again in time.
    ///
    /// * `limit`: the time that a worker needs at most, counted from the last fault that affects it.
    pub(crate) fn find_abandoned(&mut self, limit: Duration) {
        let now = Instant::now();
        let is_late = |(pid, since): (u32, Instant)| {
            let from = self.disturbed.get(&pid).map_or(since, |at| since.max(*at));
            now.saturating_duration_since(from) > limit
        };
        let late = self.held_outside.iter().filter(|(_, held)| is_late(**held)).map(|(job, _)| *job);
        for job in late.collect::<Vec<_>>() {
            self.held_outside.remove(&job);
            self.open.remove(&job);
            if let Some(record) = self.records.get_mut(&job) {
                record.is_abandoned = true;
            }
        }
    }

    /// Records that a former primary has accepted the outcome of a job. Its writes are lost, so the
    /// worker that held the job no longer does.
    pub(crate) fn ended_on_former_primary(&mut self, job: JobNumber) {
        if self.held_outside.remove(&job).is_some() {
            self.forget(job);
        }
    }

    /// Records a push that Redis committed before the state that the ledger continues from.
    pub(crate) fn pushed_before_state(&mut self, push: Push) {
        if !self.is_committed(push) {
            self.pushed(push);
        }
    }

    /// Records that no result of a job is required.
    pub(crate) fn forget(&mut self, job: JobNumber) {
        self.open.remove(&job);
        if let Some(record) = self.records.get_mut(&job) {
            record.is_forgotten = true;
        }
    }

    /// Records that a result of a job is required again, because a state in which Redis knows the
    /// job has followed one in which it did not.
    pub(crate) fn require(&mut self, job: JobNumber) {
        self.open.insert(job);
        if let Some(record) = self.records.get_mut(&job) {
            record.is_forgotten = false;
        }
    }

    /// Records that a job process of a worker was killed.
    pub(crate) fn job_process_killed(&mut self, worker_pid: u32, at: Instant) {
        self.job_kills.push((worker_pid, at));
    }

    /// Records that a fault affects a job.
    pub(crate) fn mark(&mut self, kind: FaultKind, job: Option<JobNumber>) {
        if let Some(record) = job.and_then(|job| self.records.get_mut(&job)) {
            record.faults.insert(kind);
        }
    }

    /// Applies an event.
    ///
    /// * `at`: the time at which the event was observed.
    pub(crate) fn apply(&mut self, event: QueueEvent, at: Instant) {
        match event {
            QueueEvent::Pushed(push) => self.pushed(push),
            QueueEvent::Claimed { token, job, worker_pid, adopted } => {
                // The job process of an adopted claim may have been killed before.
                let since = adopted.and_then(|lost| self.lost_claims.remove(&lost)).unwrap_or(at);
                self.claimed(token, job, worker_pid, since);
                // A claim that is restored does not show that entries are fetched again.
                if adopted.is_none() {
                    self.recovery.claimed(at);
                }
            }
            QueueEvent::Started { token, job } => self.started(token, job, at),
            QueueEvent::Accepted { job, result } => self.accepted(job, &result, at),
            QueueEvent::Crashed { job } => self.crashed(job),
            QueueEvent::Vanished { job } => self.vanished(job),
            QueueEvent::DeadLetter { job, reason } => self.dead_letter(job, &reason),
            QueueEvent::Ended { token, ending } => self.ended(token, ending),
        }
    }

    fn pushed(&mut self, push: Push) {
        self.committed.insert(push.number);
        self.open.insert(push.job);
        let Some(record) = self.records.get_mut(&push.job) else { return };
        record.pushed(push.version);
    }

    fn claimed(&mut self, token: Token, job: Option<JobNumber>, worker_pid: Option<u32>, at: Instant) {
        job.map(|job| self.held_outside.remove(&job));
        let record = job.and_then(|job| self.records.get(&job));
        let version = record.and_then(|record| record.expected_versions.last().copied());
        self.claims.insert(token, HeldClaim { job, worker_pid, at, is_started: false, version, is_stale: false });
    }

    fn started(&mut self, token: Token, job: Option<JobNumber>, at: Instant) {
        let Some(claim) = self.claims.get_mut(&token) else { return };
        claim.is_started = true;
        claim.job = job.or(claim.job);
        let Some(job) = claim.job else { return };
        self.held_outside.remove(&job);
        self.recovery.resumed(job, Some(token), at);
    }

    fn accepted(&mut self, job: JobNumber, result: &ResultSummary, at: Instant) {
        self.n_accepted += 1;
        self.held_outside.remove(&job);
        self.open.remove(&job);
        self.recovery.finished(job, at);
        let token = self.token_of(job);
        match token {
            // A worker may refuse a job without starting it.
            Some(_) => self.recovery.resumed(job, token, at),
            None => self.recovery.ended(job),
        }
        if let Some(record) = self.records.get_mut(&job) {
            record.accept(result);
        }
    }

    /// Returns the claim of a job, the started one if there are several.
    fn token_of(&self, job: JobNumber) -> Option<Token> {
        let claims = self.claims_where(|claim| claim.job == Some(job));
        claims.iter().max_by_key(|(_, claim)| claim.is_started).map(|(token, _)| *token)
    }

    fn crashed(&mut self, job: JobNumber) {
        let Some(token) = self.token_of(job) else { return };
        let Some(claim) = self.claims.get(&token).copied() else { return };
        let kill = self.job_kills.iter().position(|(pid, at)| Some(*pid) == claim.worker_pid && *at >= claim.at);
        if let Some(kill) = kill {
            let (_, at) = self.job_kills.remove(kill);
            self.recovery.interrupt(FaultKind::KillJob, job, token, at);
            self.mark(FaultKind::KillJob, Some(job));
            if let Some(record) = self.records.get_mut(&job) {
                record.n_explained_crashes += 1;
            }
        }
    }

    fn vanished(&mut self, job: JobNumber) {
        let claim = self.token_of(job).and_then(|token| self.claims.get(&token)).copied();
        let is_explained = claim.is_none_or(|claim| {
            let until = |times: &HashMap<u32, Instant>| times.get(&claim.worker_pid?).copied();
            until(&self.disturbed).max(until(&self.restored_claims)).is_some_and(|until| until >= claim.at)
        });
        if !is_explained {
            self.n_reaped_without_fault += 1;
        } else if let Some(record) = self.records.get_mut(&job) {
            record.n_explained_vanished += 1;
        }
    }

    fn dead_letter(&mut self, job: Option<JobNumber>, reason: &str) {
        let record = job.and_then(|job| self.records.get(&job));
        let is_explained = record.is_some_and(|record| record.explains(reason));
        if is_explained {
            self.n_explained_letters += 1;
        } else {
            let state = record.map_or_else(|| "unknown job".to_owned(), JobRecord::describe);
            self.unexplained.push((job, format!("{reason}; {state}")));
        }
    }

    fn ended(&mut self, token: Token, ending: ClaimEnding) {
        let Some(claim) = self.claims.remove(&token) else { return };
        let record = claim.job.and_then(|job| self.records.get_mut(&job));
        if let (Some(record), ClaimEnding::Dropped) = (record, ending) {
            record.n_entries = record.n_entries.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_with_push() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.add_job(1, JobKind::Short);
        push(&mut ledger, false);
        ledger
    }

    fn push(ledger: &mut Ledger, changes: bool) {
        let (push, _) = ledger.next_push(1, changes).unwrap();
        ledger.apply(QueueEvent::Pushed(push), Instant::now());
    }

    fn accept(ledger: &mut Ledger, version: u32, status: &str) {
        let result = ResultSummary { version: Some(version), status: status.into(), code: String::new() };
        ledger.apply(QueueEvent::Accepted { job: 1, result }, Instant::now());
    }

    fn n_twice(ledger: &Ledger) -> u32 {
        ledger.records[&1].n_accepted_twice
    }

    #[test]
    fn a_forgotten_job_that_redis_knows_again_needs_a_result() {
        let mut ledger = ledger_with_push();
        ledger.forget(1);
        assert!(ledger.records[&1].is_forgotten && ledger.open.is_empty());
        ledger.require(1);
        assert!(!ledger.records[&1].is_forgotten && ledger.open.contains(&1));
    }

    #[test]
    fn of_the_jobs_that_only_a_dead_worker_knew_those_in_its_spool_need_a_result() {
        for (spooled, is_forgotten) in [(vec![], true), (vec![1], false)] {
            let mut ledger = ledger_with_push();
            ledger.held_outside.insert(1, (7, Instant::now()));
            ledger.worker_died(7, &spooled);
            assert_eq!(ledger.records[&1].is_forgotten, is_forgotten);
            assert!(ledger.held_outside.is_empty());
        }
    }

    #[test]
    fn a_second_result_of_one_push_is_accepted_twice() {
        let mut ledger = ledger_with_push();
        accept(&mut ledger, 1, "failed");
        assert_eq!(n_twice(&ledger), 0);
        accept(&mut ledger, 1, "failed");
        assert_eq!(n_twice(&ledger), 1);
    }

    #[test]
    fn a_failed_job_that_is_pushed_twice_may_have_two_results_but_a_success_only_one() {
        let mut ledger = ledger_with_push();
        push(&mut ledger, false);
        accept(&mut ledger, 1, "failed");
        accept(&mut ledger, 1, "success");
        assert_eq!(n_twice(&ledger), 0);
        push(&mut ledger, false);
        accept(&mut ledger, 1, "success");
        assert_eq!(n_twice(&ledger), 1);
    }

    #[test]
    fn a_dropped_entry_permits_no_further_result() {
        let mut ledger = ledger_with_push();
        push(&mut ledger, false);
        let now = Instant::now();
        ledger.apply(QueueEvent::Claimed { token: 5, job: Some(1), worker_pid: Some(7), adopted: None }, now);
        ledger.apply(QueueEvent::Ended { token: 5, ending: ClaimEnding::Dropped }, now);
        accept(&mut ledger, 1, "failed");
        accept(&mut ledger, 1, "failed");
        assert_eq!(n_twice(&ledger), 1);
    }

    #[test]
    fn a_crash_is_explained_only_by_a_kill_of_a_job_process_of_the_same_worker() {
        let mut ledger = ledger_with_push();
        for (kill, n_unexplained) in [(7, 0), (8, 1)] {
            for token in 1..=3 {
                let now = Instant::now();
                ledger.apply(QueueEvent::Claimed { token, job: Some(1), worker_pid: Some(7), adopted: None }, now);
                ledger.job_process_killed(kill, now);
                ledger.apply(QueueEvent::Crashed { job: 1 }, now);
                ledger.apply(QueueEvent::Ended { token, ending: ClaimEnding::Replaced }, now);
            }
            ledger.apply(QueueEvent::DeadLetter { job: Some(1), reason: "job_crashed".into() }, Instant::now());
            accept(&mut ledger, 1, "failed");
            assert_eq!((ledger.n_explained_letters, ledger.unexplained.len()), (1, n_unexplained));
        }
    }

    #[test]
    fn only_the_newest_version_is_expected() {
        let mut ledger = ledger_with_push();
        push(&mut ledger, true);
        assert_eq!(ledger.records[&1].expected_versions, BTreeSet::from([2]));
        push(&mut ledger, false);
        assert_eq!(ledger.records[&1].expected_versions, BTreeSet::from([2]));
    }
}
