//! The loop that fetches entries and runs their jobs, until the worker drains or has done its work.
//!
//! In: free slots, and an [`ExitCondition`]. Out: attempts. Invariant: with a limit of jobs, no
//! entry beyond the limit is claimed, for any concurrency.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attempt;
use super::claim::Claim;
use super::context::WorkerContext;
use super::queue::Queue;
use super::queue_poller::QueuePoller;
use super::shutdown::{ShutdownPhase, reached, sleep_until};
use super::slots::Slot;

/// The work after which a worker exits by itself, for platforms that start a worker per job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitCondition {
    /// The number of entries that the worker fetches; `None` for no limit.
    pub n_jobs: Option<u64>,
    /// The time without any job after which the worker exits; `None` for never.
    pub idle: Option<Duration>,
}

/// The loop of one worker.
pub(super) struct FetchLoop {
    worker: Arc<WorkerContext>,
    poller: QueuePoller,
    exit: ExitCondition,
    running: JoinSet<()>,
    n_fetched: u64,
    /// The time since which no job runs, unless one does.
    idle_since: Instant,
}

impl FetchLoop {
    /// Creates the loop of a worker that has fetched nothing yet.
    pub(super) fn new(worker: Arc<WorkerContext>, poller: QueuePoller, exit: ExitCondition) -> Self {
        Self { worker, poller, exit, running: JoinSet::new(), n_fetched: 0, idle_since: Instant::now() }
    }

    /// Fetches a job whenever a slot is free, until the worker drains or its exit condition holds.
    /// Afterwards, waits for the running jobs.
    pub(super) async fn run(mut self) {
        let mut shutdown = self.worker.shutdown.clone();
        while *shutdown.borrow() == ShutdownPhase::Running && !self.is_done() {
            // The slot is acquired before the entry is fetched. Otherwise an entry could wait for a
            // slot under this worker's lease while another worker could run it.
            let slot = tokio::select! {
                slot = self.worker.slots.acquire() => slot,
                () = reached(&mut shutdown, ShutdownPhase::Draining) => break,
            };
            let mut slots = vec![slot];
            let n_more = self.poller.batch_size().min(self.n_remaining()).saturating_sub(1);
            slots.extend(std::iter::from_fn(|| self.worker.slots.try_acquire()).take(n_more));
            // The fetch is not part of a `select!`. If it were dropped halfway, its entries would
            // stay claimed until their leases expire.
            self.worker.status.note_fetch();
            let (worker, running) = (&self.worker, &mut self.running);
            let start = |queue, claim, slot| start_attempt(running, worker, queue, claim, slot);
            let n_claimed = self.poller.fetch(slots, start).await;
            self.n_fetched += n_claimed as u64;
            if n_claimed == 0 {
                let idle_end = self.idle_end();
                tokio::select! {
                    () = self.poller.wait() => {}
                    () = sleep_until(idle_end) => {}
                    () = reached(&mut shutdown, ShutdownPhase::Draining) => break,
                }
            }
            self.remove_finished();
        }
        self.worker.status.set_shutdown_phase(ShutdownPhase::Draining);
        while self.running.join_next().await.is_some() {}
    }

    /// Returns the number of entries that may still be fetched.
    fn n_remaining(&self) -> usize {
        let n_remaining = self.exit.n_jobs.map_or(u64::MAX, |n_jobs| n_jobs.saturating_sub(self.n_fetched));
        usize::try_from(n_remaining).unwrap_or(usize::MAX)
    }

    /// Returns whether the exit condition holds, and logs it.
    fn is_done(&self) -> bool {
        if self.exit.n_jobs.is_some_and(|n_jobs| self.n_fetched >= n_jobs) {
            tracing::info!(
                n_jobs = self.n_fetched,
                "the number of jobs of --jobs is reached; exiting after the last one"
            );
            return true;
        }
        let is_idle = self.idle_end().is_some_and(|end| Instant::now() >= end);
        if is_idle {
            let seconds = self.idle_since.elapsed().as_secs();
            tracing::info!(seconds, "no job has run for the time of --exit-when-idle; exiting");
        }
        is_idle
    }

    /// Returns the time at which the worker exits if no job starts before. Returns `None` while a
    /// job runs, and while a fetch fails, because there may be jobs then.
    fn idle_end(&self) -> Option<Instant> {
        // A wait for an entry must not be dropped often: the commands of dropped waits still block
        // their connection. While a job runs, the end of a wait is therefore soon enough.
        let is_idle = self.running.is_empty() && !self.poller.is_failing();
        self.exit.idle.filter(|_| is_idle).map(|idle| self.idle_since + idle)
    }

    /// Removes the finished tasks, because a `JoinSet` keeps each of them until it is joined.
    fn remove_finished(&mut self) {
        while self.running.try_join_next().is_some() {
            self.idle_since = Instant::now();
        }
    }
}

/// Starts the attempt of a claim, which occupies its slot until it ends.
fn start_attempt(running: &mut JoinSet<()>, worker: &Arc<WorkerContext>, queue: Queue, claim: Claim, slot: Slot) {
    let worker = Arc::clone(worker);
    running.spawn(async move {
        attempt::run(worker, queue, claim).await;
        drop(slot);
    });
}
