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
use super::moment::Moment;
use super::queue::{LeaseStatus, Queue, Start};
use super::server_id::ServerId;
use super::shutdown::{ShutdownPhase, reached};

/// The result of an attempt to restore a lost claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// This worker holds the claim, and its job may continue.
    Restored,
    /// The job is safe without this worker: another worker has it, it waits in the queue, or it has a
    /// result.
    Lost,
    /// The worker shuts down before Redis has replied.
    Interrupted,
}

/// Restores the lost claim of a lease, or the lost start of its job. Retries while Redis is
/// unavailable.
pub(super) async fn recover(worker: &WorkerContext, lease: &mut Lease) -> Recovery {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut shutdown = worker.shutdown.clone();
    loop {
        match try_to_recover(worker, lease).await {
            Ok(true) => return Recovery::Restored,
            Ok(false) => return Recovery::Lost,
            // The Redis client has logged the error.
            Err(_) => tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = reached(&mut shutdown, ShutdownPhase::Releasing) => return Recovery::Interrupted,
            },
        }
    }
}

/// Makes one attempt to recover a claim. Returns whether this worker holds the claim and its job runs.
async fn try_to_recover(worker: &WorkerContext, lease: &mut Lease) -> RedisResult<bool> {
    let record = lease.record();
    if lease.status() == LeaseStatus::Reverted {
        let is_running = start_again(lease.queue(), lease.claim(), &record).await?;
        if is_running {
            lease.note_started_again();
        }
        return Ok(is_running);
    }
    let at = Moment::now();
    let restored = restore(worker, lease.queue(), lease.claim(), &record, lease.lost_on()).await?;
    let is_restored = restored.is_some();
    if let Some(restored) = restored {
        lease.replace_claim(restored.claim, restored.server, at);
    }
    Ok(is_restored)
}

/// Repeats the start of a job that Redis has lost, although it knows the claim. Returns `false` if
/// another attempt of the job has started or ended since; the claim is then gone.
///
/// # Errors
/// Returns [`RedisError`](redis::RedisError) if Redis is unavailable or rejects the script. The call
/// may be repeated.
pub(super) async fn start_again(queue: &Queue, claim: ClaimId, record: &ClaimRecord) -> RedisResult<bool> {
    let (Some(id), Some(start)) = (&record.id, &record.start) else { return Ok(false) };
    let token = claim.token;
    let reply = queue.start(claim, id, &start.payload_sha256).await?;
    let is_running = matches!(reply, Start::Run { .. } | Start::Cancelled { .. });
    if is_running {
        tracing::warn!(
            job = id,
            token,
            "Redis has reverted to an older state and lost the start of this job; it is repeated"
        );
    } else {
        tracing::warn!(
            job = id,
            token,
            "Redis has reverted to an older state and lost the start of this job; another attempt has started since"
        );
    }
    Ok(is_running)
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
/// * `lost_on`: the server that has reported the loss, if it is known. Another client than
///   `worker.redis` may have received the report, and `worker.redis` may still be connected to the
///   earlier server.
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
