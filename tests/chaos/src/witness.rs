//! The witness of a run: reads the append-only file into the ledger.
//!
//! In: the append-only file. Out: an up-to-date [`Ledger`]. After Redis has reverted to an older
//! state, the ledger continues from this state with the file of the server that has it.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use oculus_tests::Redis;

use crate::append_only_file::{AppendOnlyFile, Transaction};
use crate::event::{QueueEvent, STATE_MARK, Token, events_of};
use crate::fault::FaultKind;
use crate::jobs::JobNumber;
use crate::ledger::Ledger;
use crate::restored::{RestoreSummary, RestoredState, Reversion};

/// The reader of the append-only file, with the ledger that it fills.
pub(crate) struct Witness {
    file: AppendOnlyFile,
    /// Transactions that were read and are not applied yet.
    unapplied: Vec<Transaction>,
    /// The history of the primary before the last fail-over.
    former: Option<FormerHistory>,
    /// The ledger. Call [`Witness::catch_up`] before it is read.
    pub(crate) ledger: Ledger,
    /// The number of older states to which Redis has reverted.
    n_reversions: u32,
}

/// The writes of a former primary, which may accept some until it becomes a replica.
struct FormerHistory {
    file: AppendOnlyFile,
    /// The job of each claim.
    jobs: HashMap<Token, JobNumber>,
}

impl Witness {
    /// Creates a witness of an empty Redis.
    pub(crate) fn new(folder: &Path) -> Self {
        let file = AppendOnlyFile::new(folder);
        Self { file, unapplied: Vec::new(), former: None, ledger: Ledger::default(), n_reversions: 0 }
    }

    /// Applies everything that Redis has committed so far, and returns the ledger.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be read.
    pub(crate) fn catch_up(&mut self) -> io::Result<&mut Ledger> {
        let mut transactions = std::mem::take(&mut self.unapplied);
        transactions.extend(self.file.read()?);
        let at = Instant::now();
        for event in transactions.iter().flat_map(events_of) {
            self.ledger.apply(event, at);
        }
        if let Some(former) = &mut self.former {
            former.ended_jobs()?.into_iter().for_each(|job| self.ledger.ended_on_former_primary(job));
        }
        Ok(&mut self.ledger)
    }

    /// Reads the rest of the file after Redis was killed, before it restarts.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be read.
    pub(crate) fn redis_died(&mut self) -> io::Result<()> {
        self.catch_up()?;
        self.file.drop_incomplete()
    }

    /// Continues with the state and the file of a primary that has reverted to an older state.
    ///
    /// # Errors
    /// Returns an error if the primary does not respond, or its file cannot be read.
    pub(crate) fn continue_with(&mut self, primary: &Redis, reversion: Reversion) -> Result<RestoreSummary> {
        self.redis_died().context("cannot read the append-only file of the former primary")?;
        self.n_reversions += 1;
        let mark = self.n_reversions.to_string();
        let jobs: Vec<JobNumber> = self.ledger.records.keys().copied().collect();
        let client = redis::Client::open(primary.url()).context("invalid Redis URL")?;
        let mut connection = client.get_connection().context("cannot connect to the primary")?;
        let state = RestoredState::read(&mut connection, &jobs, &mark).context("cannot read the older state")?;
        self.open(&primary.append_only_folder(), &mark, reversion.kind)?;
        Ok(state.apply_to(&mut self.ledger, reversion))
    }

    /// Opens the files in a folder after the transaction that has written a mark.
    fn open(&mut self, folder: &Path, mark: &str, kind: FaultKind) -> Result<()> {
        let former = std::mem::replace(&mut self.file, AppendOnlyFile::new(folder));
        let claims = self.ledger.claims.iter().filter_map(|(token, claim)| Some((*token, claim.job?)));
        // The writes of a server that was restored from a snapshot are gone.
        let is_other_server = kind == FaultKind::FailOver;
        self.former = is_other_server.then(|| FormerHistory { file: former, jobs: claims.collect() });
        let mut before = self.file.read().context("cannot read the append-only file")?;
        let write = [b"SET".to_vec(), STATE_MARK.into(), mark.into()];
        let marked = before.iter().position(|transaction| transaction.iter().any(|command| *command == write));
        ensure!(marked.is_some(), "the append-only file in {} lacks mark {mark}", folder.display());
        self.unapplied = before.split_off(marked.map_or(0, |idx| idx + 1));
        // The state contains all earlier transactions, but not which pushes the backend has sent.
        for event in before.iter().flat_map(events_of) {
            if let QueueEvent::Pushed(push) = event {
                self.ledger.pushed_before_state(push);
            }
        }
        Ok(())
    }
}

impl FormerHistory {
    /// Returns the jobs whose claims have ended since the last call.
    fn ended_jobs(&mut self) -> io::Result<Vec<JobNumber>> {
        let mut ended = Vec::new();
        for event in self.file.read()?.iter().flat_map(events_of) {
            match event {
                QueueEvent::Claimed { token, job, .. } | QueueEvent::Started { token, job } => {
                    job.map(|job| self.jobs.insert(token, job));
                }
                QueueEvent::Accepted { job, .. } => ended.push(job),
                QueueEvent::Ended { token, .. } => ended.extend(self.jobs.remove(&token)),
                _ => {}
            }
        }
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oculus_tests::redis_server::QUEUE;

    use super::*;
    use crate::event::{PUSH_MARK, Push};
    use crate::jobs::{JobKind, id_of, payload};

    const WORKER: u32 = 42;

    fn next_push(witness: &mut Witness, job: JobNumber) -> Push {
        witness.ledger.add_job(job, JobKind::Refused);
        witness.ledger.next_push(job, true).unwrap().0
    }

    fn commit(redis: &Redis, push: Push) {
        let id = id_of(push.job);
        let payload = payload(push.job, JobKind::Refused, push.version);
        let mut transaction = redis::pipe();
        transaction.atomic().cmd("SET").arg(format!("job:{id}")).arg(payload);
        transaction.cmd("LPUSH").arg(QUEUE).arg(&id).cmd("SET").arg(PUSH_MARK).arg(push.to_mark());
        transaction.exec(&mut redis.connection()).unwrap();
    }

    /// Starts a job with its number as the token.
    fn start(redis: &Redis, job: JobNumber) {
        let claim = format!("{{{QUEUE}}}:job:{job}");
        let _: u32 = redis.query(&["LREM", QUEUE, "0", &id_of(job)]);
        let _: u32 = redis.query(&["HSET", &claim, "entry", &id_of(job), "worker", &format!("host-{WORKER}-1")]);
        let _: u32 = redis.query(&["HSET", &claim, "id", &id_of(job), "attempt", "1"]);
    }

    fn is_forgotten(witness: &Witness, job: JobNumber) -> bool {
        witness.ledger.records[&job].is_forgotten
    }

    /// Returns a witness after a fail-over, with the former and the new primary. The new primary
    /// lacks the jobs 2 (running) and 3 (queued), and has received job 4 since its promotion.
    ///
    /// * `n_kills`: how often the process of job 2 was killed before the promotion.
    fn fail_over(n_kills: u32) -> (Witness, Redis, Redis) {
        let [former, promoted] = [(); 2].map(|()| Redis::start());
        let mut witness = Witness::new(&former.append_only_folder());
        for job in 1..=3 {
            let push = next_push(&mut witness, job);
            commit(&former, push);
            if job == 1 {
                commit(&promoted, push);
            }
        }
        start(&former, 2);
        witness.catch_up().unwrap();
        (0..n_kills).for_each(|_| witness.ledger.job_process_killed(WORKER, Instant::now()));
        let push = next_push(&mut witness, 4);
        commit(&promoted, push);
        let reversion = Reversion { kind: FaultKind::FailOver, live: &[WORKER], lease_ttl: Duration::from_secs(3) };
        let summary = witness.continue_with(&promoted, reversion).unwrap();
        assert_eq!(summary, RestoreSummary { n_known: 2, n_held: 1, n_forgotten: 1 });
        (witness, former, promoted)
    }

    #[test]
    fn after_a_fail_over_the_new_primary_is_read_from_its_state_on() {
        let (mut witness, _former, promoted) = fail_over(0);
        let () = promoted.query(&["SET", "result:chaos-4", "{}"]);
        let ledger = witness.catch_up().unwrap();
        let n_accepted = |job| (ledger.records[&job].n_accepted, ledger.records[&job].n_accepted_twice);
        assert_eq!((n_accepted(1), n_accepted(4), ledger.n_accepted), ((0, 0), (1, 0), 1));
        let () = promoted.query(&["SET", "result:chaos-4", "{}"]);
        assert_eq!(witness.catch_up().unwrap().records[&4].n_accepted_twice, 1);
    }

    #[test]
    fn a_crash_that_is_reported_after_a_fail_over_is_explained_by_an_earlier_kill() {
        for n_kills in [0, 1] {
            let (mut witness, _former, promoted) = fail_over(n_kills);
            let claim = format!("{{{QUEUE}}}:job:9");
            let worker = format!("host-{WORKER}-1");
            let _: u32 = promoted.query(&["HSET", &claim, "entry", "chaos-2", "worker", &worker, "adopted", "2"]);
            let _: u32 = promoted.query(&["HINCRBY", &format!("{{{QUEUE}}}:count:chaos-2"), "crashes", "1"]);
            assert_eq!(witness.catch_up().unwrap().records[&2].n_explained_crashes, n_kills);
        }
    }

    #[test]
    fn a_job_that_its_worker_does_not_restore_is_abandoned() {
        let (mut witness, _former, _promoted) = fail_over(0);
        let ledger = witness.catch_up().unwrap();
        ledger.find_abandoned(Duration::ZERO);
        assert!(ledger.records[&2].is_abandoned && !ledger.records[&1].is_abandoned);
        assert!(is_forgotten(&witness, 3) && !is_forgotten(&witness, 2));
    }

    #[test]
    fn a_job_that_ends_on_the_former_primary_is_not_abandoned() {
        let (mut witness, former, _promoted) = fail_over(0);
        let () = former.query(&["SET", "result:chaos-2", "{}"]);
        witness.catch_up().unwrap().find_abandoned(Duration::ZERO);
        assert!(is_forgotten(&witness, 2) && !witness.ledger.records[&2].is_abandoned);
    }
}
