//! Gives jobs of vanished workers back to the queue.
//!
//! Invariant: nothing is reaped in the first lease time after this worker's own reconnect, so that after an outage or a
//! restart of Redis every worker that lives has renewed before anybody takes its jobs.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::link::jittered;
use super::outcome::Finish;
use super::queue::Queue;

const EVERY: Duration = Duration::from_secs(5);

/// Reaps for as long as the task lives.
pub async fn run(worker: Arc<Worker>) {
    let lease = worker.config.queue.lease;
    loop {
        tokio::time::sleep(jittered(EVERY.min(lease))).await;
        match worker.link.connected_for().await {
            Some(connected) if connected > lease => reap_all(&worker).await,
            Some(_) => {}
            // Opens the link again, so that the lease time after a reconnect begins.
            None => drop(worker.link.query::<String>(&redis::cmd("PING")).await),
        }
    }
}

async fn reap_all(worker: &Worker) {
    for queue in &worker.queues {
        // An error is said by the link, and the next round comes soon.
        for reaped in queue.reap().await.unwrap_or_default() {
            let (job, from) = (reaped.id.as_deref(), &reaped.worker);
            match reaped.verdict {
                Finish::Dead => {
                    tracing::error!(job, from, "its workers vanish again and again: the job is a dead letter now")
                }
                _ => tracing::warn!(job, from, "its worker vanished: the job is back in the queue"),
            }
        }
    }
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
