//! Waits at the start of the worker until Redis is available and grants every right that the worker
//! needs.

use std::collections::BTreeSet;

use oculus_system::backoff::Backoff;

use super::context::{LONGEST_PAUSE, WorkerContext};
use super::outage::Outage;
use super::reaper::warn_of_legacy_queue;
use super::redis_client::ConnectError;
use super::shutdown::{ShutdownPhase, reached};

/// Waits until Redis is available and grants every right. Returns `false` if the worker shuts down
/// first.
///
/// The rights are checked before any entry is fetched. Otherwise a missing right would show only at
/// the step that needs it, such as storing the result of an hour of training.
///
/// # Errors
/// Returns [`ConnectError`] if the server can never be used, so that a wait would be useless.
pub(super) async fn wait_for_redis(worker: &WorkerContext) -> Result<bool, ConnectError> {
    let mut shutdown = worker.shutdown.clone();
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let rights = Outage::new(&format!("Redis at {}", worker.config.redis));
    while !is_usable(worker, &rights).await? {
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut shutdown, ShutdownPhase::Draining) => return Ok(false),
        }
    }
    rights.note_available();
    for queue in &worker.queues {
        warn_of_legacy_queue(queue).await;
    }
    Ok(true)
}

/// Returns whether Redis is available and grants every right that the worker needs.
async fn is_usable(worker: &WorkerContext, rights: &Outage) -> Result<bool, ConnectError> {
    match worker.redis.connect().await {
        Ok(()) => Ok(has_rights(worker, rights).await),
        Err(error) if error.is_unusable() => Err(error),
        // The Redis client logs the outage.
        Err(_) => Ok(false),
    }
}

/// Returns whether Redis grants every right that the worker needs. Logs the missing rights.
async fn has_rights(worker: &WorkerContext, rights: &Outage) -> bool {
    let mut missing = BTreeSet::new();
    for queue in &worker.queues {
        match queue.missing_rights().await {
            Ok(more) => missing.extend(more),
            // The Redis client logs the outage.
            Err(_) => return false,
        }
    }
    if !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        rights.note_unavailable(&format!(
            "the Redis user has no right to run {missing}; grant it with `ACL SETUSER` (docs/configuration.md)"
        ));
        return false;
    }
    true
}
