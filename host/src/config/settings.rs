//! The checked settings, by the part of the program that uses them.

use std::path::PathBuf;
use std::time::Duration;

use oculus_market_data::PolygonConfig;
use oculus_plugin_host::config::PluginsConfig;
use oculus_system::secret::Secret;

/// The names and limits of the queue.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// The lists from which jobs are taken, the first with priority; never empty.
    pub names: Vec<String>,
    /// The end of the list that holds the next job.
    pub end: QueueEnd,
    /// The payload of a job is stored at `<job_prefix>:<id>`.
    pub job_prefix: String,
    /// The result of a job is stored at `<result_prefix>:<id>`.
    pub result_prefix: String,
    /// How long results are kept; `None` is forever.
    pub result_ttl: Option<Duration>,
    /// How long a job stays with a worker that no longer renews its lease.
    pub lease: Duration,
    /// The number of deaths of a job's process at which the job fails.
    pub max_crashes: u32,
}

impl QueueConfig {
    /// Returns how long results are kept, in seconds as the scripts read it: 0 for forever.
    pub fn result_ttl_seconds(&self) -> u64 {
        self.result_ttl.map_or(0, |ttl| ttl.as_secs())
    }
}

/// The end of a list from which jobs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEnd {
    /// For producers that RPUSH.
    Left,
    /// For producers that LPUSH.
    Right,
}

/// What jobs may use.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// Jobs at once, at least 1.
    pub concurrency: usize,
    /// A job that runs longer is killed.
    pub timeout: Duration,
    /// Whether a GPU may be used.
    pub gpu_enabled: bool,
    /// Where plugins are, and which of them are trusted.
    pub plugins: PluginsConfig,
    /// Where bars come from.
    pub bars: BarsSource,
    /// The folder of models, reports and unsent results.
    pub artifacts_dir: PathBuf,
    /// Polygon's market data, if a key is set.
    pub polygon: Option<PolygonConfig>,
}

/// Where bars come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BarsSource {
    /// Files `SYMBOL.csv` or `SYMBOL.parquet` in a folder.
    Dir(PathBuf),
    /// Polygon's market data.
    Polygon,
    /// Not configured.
    Unset,
}

/// The platform's backend.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// Base URL, without a trailing slash.
    pub url: String,
    /// Path of the registration.
    pub register_path: String,
    /// Path of heartbeats; `{worker_id}` is replaced by the worker's id.
    pub heartbeat_path: String,
    /// Bearer token.
    pub token: Option<Secret>,
    /// Time between heartbeats.
    pub heartbeat_every: Duration,
}

/// What is logged and how.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// The least important level that is shown.
    pub level: tracing::Level,
    /// One line of text or one JSON object per event.
    pub format: LogFormat,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// JSON for programs.
    Json,
}
