//! What the parts of a running worker share.

use std::sync::Arc;
use std::time::Duration;

use oculus_plugin_host::catalog::Catalog;
use tokio::sync::watch;

use super::lease::Leases;
use super::queue::Queue;
use super::redis_client::RedisClient;
use super::shutdown::ShutdownPhase;
use super::spawn_backoff::SpawnBackoff;
use super::spool::ResultSpool;
use super::status::WorkerStatus;
use crate::config::Config;

/// The longest pause between two attempts at a step that must succeed; well below any lease.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the parts of a running worker share.
pub(super) struct WorkerContext {
    pub worker_id: String,
    pub config: Config,
    pub catalog: Arc<Catalog>,
    /// The queues in order of priority.
    pub queues: Vec<Queue>,
    pub redis: Arc<RedisClient>,
    pub leases: Leases,
    pub status: WorkerStatus,
    pub spool: ResultSpool,
    pub spawn_backoff: SpawnBackoff,
    pub shutdown: watch::Receiver<ShutdownPhase>,
}
