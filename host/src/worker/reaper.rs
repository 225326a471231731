//! Requeues the entries of workers that vanished.
//!
//! Invariant: after an outage or a restart of Redis, every live worker has renewed before any
//! worker reaps. So nothing is reaped in the first lease time after this worker's own reconnect or
//! after Redis hung, nor by a call that Redis runs late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_system::backoff::jittered;

use super::context::WorkerContext;
use super::queue::{FinishStatus, Queue, Reaped};

const EVERY: Duration = Duration::from_secs(5);

/// Reaps until its task is aborted.
pub(super) async fn run(worker: Arc<WorkerContext>) {
    let lease = worker.config.queue.lease;
    let mut calm_since = Instant::now();
    loop {
        tokio::time::sleep(jittered(EVERY.min(lease))).await;
        match worker.redis.connected_for().await {
            Some(connected) if connected > lease => {
                let is_calm = calm_since.elapsed() > lease;
                if let Responsiveness::Slow = reap_all(&worker, is_calm).await {
                    calm_since = Instant::now();
                }
            }
            Some(_) => {}
            // Reconnects, so that the lease time after the reconnect begins.
            None => drop(worker.redis.query::<String>("ping", &redis::cmd("PING")).await),
        }
    }
}

/// Whether Redis responds within [`max_delay`].
enum Responsiveness {
    Prompt,
    /// Redis may have hung, and renewals may have waited as long.
    Slow,
}

/// Returns how long Redis may delay a response before it counts as hung: well below the remaining
/// time of live leases.
fn max_delay(lease: Duration) -> Duration {
    Duration::from_secs(2).min(lease / 3)
}

/// Checks the clock of every queue's server, and reaps there if `is_calm`. Stops at the first slow
/// response.
async fn reap_all(worker: &WorkerContext, is_calm: bool) -> Responsiveness {
    let max_delay = max_delay(worker.config.queue.lease);
    for queue in &worker.queues {
        let sent = Instant::now();
        // The Redis client logs an error, and the next round follows soon.
        let Ok(now) = queue.now().await else { return Responsiveness::Slow };
        if sent.elapsed() >= max_delay {
            return Responsiveness::Slow;
        }
        if !is_calm {
            continue;
        }
        let not_after = now + u64::try_from(max_delay.as_millis()).unwrap_or(0);
        queue.reap(not_after).await.unwrap_or_default().iter().for_each(log_reaped);
        if sent.elapsed() >= max_delay {
            return Responsiveness::Slow;
        }
    }
    Responsiveness::Prompt
}

fn log_reaped(reaped: &Reaped) {
    let job = reaped.id.as_deref();
    let from = &reaped.worker;
    match reaped.status {
        FinishStatus::Dead => {
            tracing::error!(job, from, "too many workers of this job have vanished: the entry is a dead letter");
        }
        _ => tracing::warn!(job, from, "the worker of this job has vanished: the entry returns to the queue"),
    }
}

/// Warns if the list to which older backends push has entries.
pub(super) async fn warn_of_legacy_queue(queue: &Queue) {
    const LEGACY: &str = "training_queue";
    let n_waiting = queue.length_of(LEGACY).await.unwrap_or(0);
    if queue.name() == "oculus:training_queue" && n_waiting > 0 {
        tracing::warn!(
            "`{LEGACY}` has {n_waiting} entries, but this worker fetches from `{}`; set JOB_QUEUE to fetch from both",
            queue.name()
        );
    }
}
