//! Drains one worker: it fetches no more entries, finishes its jobs and exits, as after SIGTERM.
//!
//! A request is addressed to the boot id of a worker process. The process that a service manager
//! starts in its place therefore does not drain.

use std::time::{Duration, Instant};

use redis::cmd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fleet::FleetWorker;
use super::{OperationError, Operations, now_s};
use crate::worker::status::WorkerState;

/// The time for which a request is kept, in seconds. It is longer than any outage of Redis that a
/// worker is expected to survive.
const REQUEST_TTL_S: u32 = 24 * 3600;

/// The interval at which the state of a drained worker is polled.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The request to drain a worker, as Redis stores it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::worker) struct DrainRequest {
    /// The operator who sent the request.
    pub by: Option<String>,
    /// The time of the request, in seconds since 1970.
    pub at: Option<f64>,
}

/// How far a worker has followed the request to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainOutcome {
    /// The worker has not read the request yet.
    Requested,
    /// The worker fetches no more jobs and finishes those that run.
    Draining,
    /// The worker has stopped.
    Stopped,
}

/// A worker that is drained.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DrainedWorker {
    /// Id of the worker.
    pub worker_id: String,
    /// Id of the start of the worker to which the request is addressed.
    pub boot: String,
    /// How far the worker has followed the request.
    pub outcome: DrainOutcome,
    /// Number of jobs that still run.
    pub n_running: usize,
}

impl Operations {
    /// Requests that a worker drains.
    ///
    /// * `id`: the id of the worker, or its boot id.
    ///
    /// # Errors
    /// Returns [`OperationError::UnknownWorker`] if no such worker reports to the queues.
    pub async fn drain(&self, id: &str) -> Result<DrainedWorker, OperationError> {
        let fleet = self.fleet().await?;
        let Some(FleetWorker { report, .. }) = find(&fleet, id) else {
            let known: Vec<_> = fleet.iter().map(|worker| worker.report.worker_id.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(OperationError::UnknownWorker { id: id.to_owned(), queues: self.queue_names(), known });
        };
        let request = DrainRequest { by: Some(self.operator.clone()), at: Some(now_s()) };
        let text = serde_json::json!(request).to_string();
        // One key is enough, because the worker reads those of all its queues.
        for queue in self.queues.iter().filter(|queue| report.queues.iter().any(|name| name == queue.name())).take(1) {
            let set = cmd("SET").arg(queue.keys.drain(&report.boot)).arg(&text).arg("EX").arg(REQUEST_TTL_S).to_owned();
            self.redis.query::<()>("drain", &set).await?;
            self.audit(queue, "drain", &report.worker_id);
        }
        Ok(DrainedWorker {
            worker_id: report.worker_id.clone(),
            boot: report.boot.clone(),
            outcome: DrainOutcome::Requested,
            n_running: report.running.len(),
        })
    }

    /// Waits until a worker has read the request to drain, at most for `limit`, and updates its
    /// outcome.
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn wait_for_drain(&self, drained: &mut DrainedWorker, limit: Duration) -> Result<(), OperationError> {
        let deadline = Instant::now() + limit;
        loop {
            let fleet = self.fleet().await?;
            match find(&fleet, &drained.boot) {
                None => {
                    drained.outcome = DrainOutcome::Stopped;
                    drained.n_running = 0;
                }
                Some(worker) => {
                    drained.n_running = worker.report.running.len();
                    if worker.report.state == WorkerState::Draining {
                        drained.outcome = DrainOutcome::Draining;
                    }
                }
            }
            if drained.outcome != DrainOutcome::Requested || Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Returns the workers that report to the queues.
    async fn fleet(&self) -> Result<Vec<FleetWorker>, OperationError> {
        Ok(self.jobs(0).await?.workers)
    }
}

/// Returns the worker with an id or a boot id.
fn find<'f>(fleet: &'f [FleetWorker], id: &str) -> Option<&'f FleetWorker> {
    fleet.iter().find(|worker| worker.report.worker_id == id || worker.report.boot == id)
}
