//! The reports of workers in Redis, from which any process can show all workers of a queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::worker::status::{Counters, RunningJob, WorkerState};

/// The report of a worker, at the key `{Q}:worker:<boot>` of each of its queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerReport {
    /// Id of the worker, as in its registration.
    pub worker_id: String,
    /// Random id of this start of the worker.
    pub boot: String,
    /// Host name of the machine.
    pub hostname: String,
    /// Process id of the worker.
    pub pid: u32,
    /// Version of oculus-host.
    pub version: String,
    /// Redis lists from which the worker takes jobs.
    pub queues: Vec<String>,
    /// Largest number of jobs that the worker runs at the same time.
    pub concurrency: usize,
    /// Kinds of devices that the active plugins can use, such as `cpu`.
    pub devices: Vec<String>,
    /// State of the worker.
    pub state: WorkerState,
    /// Running jobs, sorted by id.
    pub running: Vec<RunningJob>,
    /// Number of finished attempts by outcome since the worker started.
    pub counters: Counters,
    /// Start of the worker, in seconds since 1970.
    pub started_at: f64,
    /// Seconds since the worker last asked a queue for an entry; null before the first time. It
    /// grows while all slots are occupied.
    pub fetch_age_s: Option<f64>,
}

/// A worker of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FleetWorker {
    /// Seconds since the last report. Workers report every 2 s, and a report is kept for 60 s.
    pub seen_s: f64,
    /// The last report.
    #[serde(flatten)]
    pub report: WorkerReport,
}
