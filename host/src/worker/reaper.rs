//! Gives jobs of vanished workers back to the queue.
//!
//! Invariant: nothing is reaped in the first lease time after this worker's own reconnect or after Redis hung, nor by a
//! call that Redis comes to late, so that after an outage or a restart of Redis every worker that lives has renewed before
//! anybody takes its jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Worker;
use super::claim_outcome::FinishStatus;
use super::queue::Queue;
use oculus_system::backoff::jittered;

const EVERY: Duration = Duration::from_secs(5);

/// Reaps for as long as the task lives.
pub async fn run(worker: Arc<Worker>) {
    let lease = worker.config.queue.lease;
    let mut calm_since = Instant::now();
    loop {
        tokio::time::sleep(jittered(EVERY.min(lease))).await;
        match worker.link.connected_for().await {
            Some(connected) if connected > lease => {
                if reap_all(&worker, calm_since.elapsed() > lease).await.is_none() {
                    calm_since = Instant::now();
                }
            }
            Some(_) => {}
            // Opens the link again, so that the lease time after a reconnect begins.
            None => drop(worker.link.query::<String>("ping", &redis::cmd("PING")).await),
        }
    }
}

/// How long Redis may take to come to a call without a doubt that it hung: well under the time that leases have left.
fn patience(lease: Duration) -> Duration {
    Duration::from_secs(2).min(lease / 3)
}

/// Asks every queue for the time, and reaps there if `is_calm`; `None` once Redis does not answer soon, since renewals
/// may have been waiting as long.
async fn reap_all(worker: &Worker, is_calm: bool) -> Option<()> {
    let patience = patience(worker.config.queue.lease);
    for queue in &worker.queues {
        let asked = Instant::now();
        // An error is said by the link, and the next round comes soon.
        let now = queue.now().await.ok().filter(|_| asked.elapsed() < patience)?;
        if !is_calm {
            continue;
        }
        let not_after = now + u64::try_from(patience.as_millis()).unwrap_or(0);
        for reaped in queue.reap(not_after).await.unwrap_or_default() {
            let (job, from) = (reaped.id.as_deref(), &reaped.worker);
            match reaped.verdict {
                FinishStatus::Dead => {
                    tracing::error!(job, from, "its workers vanish again and again: the job is a dead letter now")
                }
                _ => tracing::warn!(job, from, "its worker vanished: the job is back in the queue"),
            }
        }
        if asked.elapsed() >= patience {
            return None;
        }
    }
    Some(())
}

/// Warns of jobs at the name that older backends push to.
pub async fn warn_of_legacy_queue(queue: &Queue) {
    const LEGACY: &str = "training_queue";
    let n_waiting = queue.length_of(LEGACY).await.unwrap_or(0);
    if queue.name() == "oculus:training_queue" && n_waiting > 0 {
        tracing::warn!(
            "`{LEGACY}` holds {n_waiting} entries, and this worker takes from `{}`; set JOB_QUEUE to serve both",
            queue.name()
        );
    }
}
