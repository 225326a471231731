//! Takes up jobs again whose claims Redis has lost.
//!
//! In: a lost claim that this worker still works on, or whose outcome it holds. Out: a restored claim,
//! or none. Invariant: a claim is restored only on another server than the one that last confirmed it.
//! A server that is still the same has not lost the claim: it has given it to another worker.

use oculus_system::backoff::Backoff;
use redis::RedisResult;

use super::claim::{ClaimId, ClaimRecord};
use super::context::{LONGEST_PAUSE, WorkerContext};
use super::lease::Lease;
use super::queue::Queue;
use super::server_id::ServerId;
use super::shutdown::{ShutdownPhase, reached};

/// The result of an attempt to restore a lost claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// This worker holds the claim again, under another id.
    Restored,
    /// The job is safe without this worker: another worker has it, it waits in the queue, or it has a
    /// result.
    Lost,
    /// The worker shuts down before Redis has replied.
    Interrupted,
}

/// Restores the lost claim of a lease. Retries while Redis is unavailable.
pub(super) async fn recover(worker: &WorkerContext, lease: &mut Lease) -> Recovery {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut shutdown = worker.shutdown.clone();
    let record = lease.record();
    loop {
        match restore(worker, lease.queue(), lease.claim(), &record, lease.lost_on()).await {
            Ok(Some(restored)) => {
                lease.replace_claim(restored.claim, restored.server);
                return Recovery::Restored;
            }
            Ok(None) => return Recovery::Lost,
            // The Redis client has logged the error.
            Err(_) => tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = reached(&mut shutdown, ShutdownPhase::Releasing) => return Recovery::Interrupted,
            },
        }
    }
}

/// A claim that has been restored.
pub(super) struct RestoredClaim {
    /// The id of the claim.
    pub claim: ClaimId,
    /// The server that issued it.
    pub server: Option<ServerId>,
}

/// Restores a lost claim, if the server has changed and knows no other trace of the job.
///
/// * `lost_on`: the server that has reported the loss if it is known. Another client than `worker.redis`
///   may have received the report, and `worker.redis` may still be connected to the earlier server.
///
/// # Errors
/// Returns [`RedisError`](redis::RedisError) if Redis is unavailable or rejects the script. The call
/// may be repeated.
pub(super) async fn restore(
    worker: &WorkerContext,
    queue: &Queue,
    lost: ClaimId,
    record: &ClaimRecord,
    lost_on: Option<ServerId>,
) -> RedisResult<Option<RestoredClaim>> {
    let reported_by = match lost_on {
        Some(server) => Some(server),
        None => worker.redis.server().await?,
    };
    if record.server.is_none() || reported_by.is_none() || reported_by == record.server {
        return Ok(None);
    }
    let job = record.id.as_deref();
    let lost_token = lost.token;
    let adopted = queue.adopt(lost, record).await?;
    match adopted {
        Some(claim) => tracing::warn!(
            job,
            token = claim.token,
            lost_token,
            "Redis has reverted to an older state and lost this claim; it is restored and the work continues"
        ),
        None => tracing::warn!(
            job,
            lost_token,
            "Redis has reverted to an older state and lost this claim; it is not restored, because the job has another \
             attempt, entry or result"
        ),
    }
    // The script may have run on a new connection.
    let server = worker.redis.server().await?;
    Ok(adopted.map(|claim| RestoredClaim { claim, server }))
}
