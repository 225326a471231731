//! Submits the outcome of a claim until Redis accepts or fences it.
//!
//! Invariant: an outcome that Redis cannot take at the moment is on disk before the worker may end
//! without it.

use oculus_system::backoff::Backoff;
use redis::RedisError;

use super::claim_outcome::ClaimOutcome;
use super::context::{LONGEST_PAUSE, WorkerContext};
use super::queue::{FinishStatus, Queue};
use super::shutdown::{ShutdownPhase, reached};
use super::spool::SpooledResult;

/// The number of failed attempts after which a worker that shuts down may leave a result to the
/// spool.
const MIN_FAILED: u32 = 6;

/// Submits a result until Redis has accepted or fenced it. After the first failure the result is
/// stored on disk, and a worker that shuts down need not wait for Redis.
pub(super) async fn submit(worker: &WorkerContext, queue: &Queue, result: &SpooledResult) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut shutdown = worker.shutdown.clone();
    let mut may_end_at = ShutdownPhase::Releasing;
    let mut n_failed = 0;
    loop {
        match queue.finish(result.claim, result.id.as_deref(), &result.outcome).await {
            Ok(status) => {
                worker.spool.remove(result);
                return report(worker, result, status, n_failed);
            }
            Err(error) if n_failed == 0 => may_end_at = store(worker, result, &error),
            Err(_) => {}
        }
        n_failed += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut shutdown, may_end_at), if n_failed >= MIN_FAILED => return,
        }
    }
}

fn report(worker: &WorkerContext, result: &SpooledResult, status: FinishStatus, n_failed: u32) {
    let job = result.id.as_deref();
    let token = result.claim.token;
    match status {
        FinishStatus::Finished => tracing::debug!(job, token, "outcome accepted"),
        FinishStatus::Requeued => tracing::warn!(job, token, "the job's process died: the entry returns to the queue"),
        FinishStatus::Dead => tracing::warn!(job, token, "the entry is a dead letter"),
        FinishStatus::Fenced if n_failed > 0 => {
            tracing::warn!(
                job,
                token,
                "outcome discarded: an earlier attempt to submit it was accepted, or another worker holds the job"
            );
        }
        FinishStatus::Fenced => {
            worker.status.count(|counters| counters.fenced += 1);
            tracing::warn!(job, token, "outcome discarded: another worker holds the job");
        }
    }
}

/// Stores a result on disk. Returns the shutdown phase from which on the worker need not wait for
/// Redis.
fn store(worker: &WorkerContext, result: &SpooledResult, error: &RedisError) -> ShutdownPhase {
    // A release is not stored: the lease expires by itself.
    if result.outcome == ClaimOutcome::Release {
        return ShutdownPhase::Draining;
    }
    let job = result.id.as_deref();
    match worker.spool.store(result) {
        Ok(path) => {
            let path = path.display();
            tracing::warn!(
                job,
                "the result is stored on disk until Redis accepts it, from this worker or a later one: {path}"
            );
            ShutdownPhase::Draining
        }
        Err(problem) => {
            tracing::error!(job, "the result can be neither submitted ({error}) nor stored on disk ({problem})");
            ShutdownPhase::Releasing
        }
    }
}
