//! The state that the parts of a running worker share.

use std::sync::Arc;
use std::time::Duration;

use oculus_plugin_host::catalog::Catalog;
use tokio::sync::watch;

use super::claim::BootId;
use super::lease::Leases;
use super::queue::Queue;
use super::redis_client::RedisClient;
use super::shutdown::{DrainRequests, ShutdownPhase};
use super::sleep_inhibitor::SleepInhibitor;
use super::slots::Slots;
use super::spawn_backoff::SpawnBackoff;
use super::spool::ResultSpool;
use super::status::WorkerStatus;
use crate::config::Config;

/// The longest pause between two attempts at a step that must succeed. It is short, so that a
/// worker continues soon after Redis is available again.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The state that the parts of a running worker share.
pub(super) struct WorkerContext {
    /// The id of the worker, as the backend and the logs show it.
    pub worker_id: String,
    /// The id of this start of the worker.
    pub boot: BootId,
    /// All settings.
    pub config: Config,
    /// The installed plugins.
    pub catalog: Arc<Catalog>,
    /// The queues in order of priority.
    pub queues: Vec<Queue>,
    /// The client for commands that do not block.
    pub redis: Arc<RedisClient>,
    /// The leases of running attempts.
    pub leases: Leases,
    /// The status that heartbeats report.
    pub status: WorkerStatus,
    /// The results that could not be submitted yet.
    pub spool: ResultSpool,
    /// The backoff of failed starts of job processes.
    pub spawn_backoff: SpawnBackoff,
    /// The inhibitor of the machine's idle sleep.
    pub sleep_inhibitor: SleepInhibitor,
    /// The slots of running jobs.
    pub slots: Slots,
    /// The phase of the shutdown.
    pub shutdown: watch::Receiver<ShutdownPhase>,
    /// The sender of requests to drain this worker.
    pub drain_requests: DrainRequests,
}
