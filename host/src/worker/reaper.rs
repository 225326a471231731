//! Requeues the entries of workers that have vanished.
//!
//! In: expired leases. Out: requeued entries and dead letters. Invariant: after an outage, a hang
//! or a restart of Redis, every live worker has the time to renew its leases before any worker
//! reaps. After a reconnect or a slow response, this worker does not reap for the time of one
//! lease. A call that Redis runs late changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_system::backoff::jittered;

use super::context::WorkerContext;
use super::moment::Moment;
use super::outage::is_rejection;
use super::queue::{FinishStatus, MAX_VANISHED, Queue, Reaped};

/// The longest pause between two rounds. With a short lease, it is a third of the lease.
const REAP_EVERY: Duration = Duration::from_secs(5);

/// Requeues the entries of expired leases in rounds, until the task is aborted.
pub(super) async fn run(worker: Arc<WorkerContext>) {
    let lease = worker.config.queue.lease;
    let mut prompt_since = Instant::now();
    loop {
        // The jitter keeps the reapers of several workers from running at the same times.
        let pause = jittered(REAP_EVERY.min(lease / 3));
        let before = Moment::now();
        tokio::time::sleep(pause).await;
        // This process or its machine has been suspended. Its own leases must be renewed before it
        // may reap, and those of other workers on the same machine too.
        if before.age() > pause + max_delay(lease) {
            prompt_since = Instant::now();
        }
        // The reaper opens the connection itself, because for a long time no other part might use it,
        // for example while all slots are occupied. The wait of one lease starts at the reconnect.
        if worker.redis.connected_for().await.is_none() {
            drop(worker.redis.query::<String>("ping", &redis::cmd("PING")).await);
        } else if let Responsiveness::Slow = reap_all(&worker, prompt_since.elapsed() > lease).await {
            prompt_since = Instant::now();
        }
    }
}

/// The result of a round: whether Redis responded within [`max_delay`].
enum Responsiveness {
    /// Every response arrived in time.
    Prompt,
    /// Redis may have hung, and the renewals of other workers may have been delayed too.
    Slow,
}

/// Returns the delay at which a response is slow: Redis is then assumed to have hung. A renewal is
/// due when two thirds of a lease are left, so no live lease expires during a shorter delay.
fn max_delay(lease: Duration) -> Duration {
    Duration::from_secs(2).min(lease / 3)
}

/// Reads Redis' clock for each queue, and reaps the queue if `may_reap` is true and the connection
/// has been open for longer than a lease. Stops at the first slow response.
async fn reap_all(worker: &WorkerContext, may_reap: bool) -> Responsiveness {
    let lease = worker.config.queue.lease;
    let max_delay = max_delay(lease);
    for queue in &worker.queues {
        let sent = Instant::now();
        // The Redis client has logged the error, and the next round follows soon.
        let Ok(now) = queue.now().await else { return Responsiveness::Slow };
        if sent.elapsed() >= max_delay {
            return Responsiveness::Slow;
        }
        // The clock is read in every round, even while reaping is not allowed, because the read
        // shows whether Redis responds in time. The connection may be another one than before the
        // read, to a server that was promoted in the meantime.
        let is_settled = worker.redis.connected_for().await.is_some_and(|connected| connected > lease);
        if !may_reap || !is_settled {
            continue;
        }
        // Redis may hang between the two calls. Renewals that are sent after this call would then
        // run after it, so the call has a deadline and does nothing if it is late.
        let not_after = now + u64::try_from(max_delay.as_millis()).unwrap_or(0);
        match queue.reap(not_after).await {
            Ok(reaped) => reaped.iter().for_each(|reaped| log_reaped(queue, reaped)),
            // The Redis client has logged the rejection, which concerns only this queue.
            Err(error) if is_rejection(&error) => {}
            Err(_) => return Responsiveness::Slow,
        }
        if sent.elapsed() >= max_delay {
            return Responsiveness::Slow;
        }
    }
    Responsiveness::Prompt
}

fn log_reaped(queue: &Queue, reaped: &Reaped) {
    let job = reaped.id.as_deref();
    let vanished_worker = &reaped.worker;
    let queue = queue.name();
    match reaped.status {
        FinishStatus::Dead => tracing::error!(
            job,
            vanished_worker,
            queue,
            "lease expired: {MAX_VANISHED} workers have vanished with this job, so its entry is now a dead letter"
        ),
        _ => tracing::warn!(job, vanished_worker, queue, "lease expired: the worker has vanished, its job is requeued"),
    }
}

/// Logs a warning if there are entries in the list to which older backends push, because no worker
/// fetches them.
pub(super) async fn warn_of_legacy_queue(queue: &Queue) {
    const LEGACY: &str = "training_queue";
    let n_waiting = queue.list_length(LEGACY).await.unwrap_or(0);
    if queue.name() == "oculus:training_queue" && n_waiting > 0 {
        tracing::warn!(
            "the list `{LEGACY}` contains {n_waiting} entries, but this worker fetches from `{}`; to fetch from both, \
             set JOB_QUEUE",
            queue.name()
        );
    }
}
