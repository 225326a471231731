//! Waits at start until Redis is available and grants every right that the worker needs.

use std::collections::BTreeSet;

use oculus_system::backoff::Backoff;

use super::context::{LONGEST_PAUSE, WorkerContext};
use super::outage::Outage;
use super::reaper::warn_of_legacy_queue;
use super::shutdown::{ShutdownPhase, reached};

/// Waits until Redis is available and grants every right. Returns `false` if the worker shuts down
/// before.
pub(super) async fn wait_for_redis(worker: &WorkerContext) -> bool {
    let mut shutdown = worker.shutdown.clone();
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let rights = Outage::new(&format!("Redis at {}", worker.config.redis));
    while !has_rights(worker, &rights).await {
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut shutdown, ShutdownPhase::Draining) => return false,
        }
    }
    rights.ended();
    for queue in &worker.queues {
        warn_of_legacy_queue(queue).await;
    }
    true
}

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
        rights.began(&format!("this user may not do {missing} (`ACL SETUSER` grants it; docs/configuration.md)"));
        return false;
    }
    true
}
