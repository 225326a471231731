//! Submits the outcome of a claim until Redis accepts or fences it.
//!
//! In: a [`SpooledResult`]. Out: a finished claim, or a file in the spool. Invariant: a worker that
//! exits before Redis has accepted an outcome has stored it on disk, unless the disk fails too.

use oculus_system::backoff::Backoff;
use redis::{RedisError, RedisResult};

use super::adoption::{restore, start_again};
use super::context::{LONGEST_PAUSE, WorkerContext};
use super::queue::{FinishStatus, Queue};
use super::shutdown::{ShutdownPhase, reached};
use super::spool::SpooledResult;

/// The number of failed submissions after which a worker that shuts down may leave a result in the
/// spool. The pauses between them add up to 1.6 to 3.1 seconds, so a short interruption of Redis
/// does not delay a result until the next worker starts.
const MIN_FAILED: u32 = 6;

/// Submits a result until Redis has accepted or fenced it. After the first failure the result is
/// stored on disk, so that a worker that shuts down does not have to wait for Redis.
///
/// If Redis has lost the claim because it reverted to an older state, the claim is restored first.
pub(super) async fn submit(worker: &WorkerContext, queue: &Queue, mut result: SpooledResult) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut shutdown = worker.shutdown.clone();
    let mut may_stop_from = ShutdownPhase::Releasing;
    let mut n_failed = 0;
    loop {
        match finish(worker, queue, &mut result).await {
            Ok(status) => {
                worker.spool.remove(&result);
                return report(worker, &result, status, n_failed);
            }
            // The result is stored after the first failure and not before the first submission,
            // because Redis usually accepts it and no disk write is needed.
            Err(error) if n_failed == 0 => may_stop_from = store(worker, &result, &error),
            // The Redis client has logged the error.
            Err(_) => {}
        }
        n_failed += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut shutdown, may_stop_from), if n_failed >= MIN_FAILED => return,
        }
    }
}

/// Sends the outcome to Redis. If the claim is lost, tries to restore it, and sends the outcome again.
///
/// # Errors
/// Returns [`RedisError`] if Redis is unavailable or rejects a script.
async fn finish(worker: &WorkerContext, queue: &Queue, result: &mut SpooledResult) -> RedisResult<FinishStatus> {
    let status = queue.finish(result.claim, result.id.as_deref(), &result.outcome).await?;
    let Some(record) = &result.record else { return Ok(status) };
    if status == FinishStatus::Reverted && start_again(queue, result.claim, record).await? {
        return queue.finish(result.claim, result.id.as_deref(), &result.outcome).await;
    }
    if status != FinishStatus::Fenced {
        return Ok(status);
    }
    let server = queue.finish_server(&result.outcome).await?;
    let Some(restored) = restore(worker, queue, result.claim, record, server).await? else { return Ok(status) };
    // The name of the file contains the claim. The new file is stored first, so that a crash between
    // the two steps does not lose the result.
    let lost = result.clone();
    result.claim = restored.claim;
    if let Some(record) = &mut result.record {
        record.server = restored.server;
    }
    if worker.spool.contains(&lost) && worker.spool.store(result).is_ok() {
        worker.spool.remove(&lost);
    }
    queue.finish(result.claim, result.id.as_deref(), &result.outcome).await
}

/// Logs the reply of Redis, and counts a fenced outcome.
fn report(worker: &WorkerContext, result: &SpooledResult, status: FinishStatus, n_failed: u32) {
    let job = result.id.as_deref();
    let token = result.claim.token;
    match status {
        FinishStatus::Finished => tracing::debug!(job, token, "outcome accepted"),
        FinishStatus::Requeued => tracing::warn!(job, token, "entry requeued: its job process died"),
        FinishStatus::Dead => tracing::warn!(job, token, "entry moved to the dead letters"),
        FinishStatus::Superseded => {
            tracing::info!(job, token, "outcome discarded: a newer payload of this job was pushed and runs next");
        }
        // Redis may have accepted an earlier submission whose response was lost, so the outcome is
        // not counted as fenced.
        FinishStatus::Fenced if n_failed > 0 => {
            tracing::warn!(
                job,
                token,
                "outcome discarded: Redis has accepted an earlier submission of it, or the lease was lost"
            );
        }
        FinishStatus::Fenced | FinishStatus::Reverted => {
            worker.status.count(|counters| counters.fenced += 1);
            tracing::warn!(job, token, "outcome discarded: the lease was lost, and another worker may run the job");
        }
    }
}

/// Stores a result on disk. Returns the shutdown phase from which the worker may stop without
/// waiting for Redis.
fn store(worker: &WorkerContext, result: &SpooledResult, error: &RedisError) -> ShutdownPhase {
    let job = result.id.as_deref();
    let token = result.claim.token;
    match worker.spool.store(result) {
        Ok(path) => {
            let path = path.display();
            tracing::warn!(
                job,
                token,
                "result not submitted yet: stored in {path} until Redis accepts it from this worker or a later one"
            );
            ShutdownPhase::Draining
        }
        // After a first signal, the worker waits for Redis. If it stopped, the result would be lost
        // and the job would have to run again.
        Err(problem) => {
            tracing::error!(
                job,
                token,
                "result neither submitted ({error}) nor stored on disk ({problem}); retrying while this worker runs"
            );
            ShutdownPhase::Releasing
        }
    }
}
