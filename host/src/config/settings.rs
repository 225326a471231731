//! The checked settings, grouped by the part of the program that uses them.

use std::path::PathBuf;
use std::time::Duration;

use oculus_market_data::PolygonConfig;
use oculus_plugin_host::config::PluginsConfig;
use oculus_system::secret::Secret;

/// The settings of the queues: names of keys, and limits.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// The lists from which jobs are taken, in order of priority. There is at least one.
    pub names: Vec<String>,
    /// The end of a list from which the next job is taken.
    pub end: QueueEnd,
    /// The prefix of payloads: a job's payload is stored at `<job_prefix>:<id>`.
    pub job_prefix: String,
    /// The prefix of results: a job's result is stored at `<result_prefix>:<id>`.
    pub result_prefix: String,
    /// The time for which results are kept; `None` for forever.
    pub result_ttl: Option<Duration>,
    /// The time after which a lease that is not renewed expires.
    pub lease: Duration,
    /// The maximum number of crashes: a job fails when its job process has crashed this often.
    pub max_crashes: u32,
    /// The number of replicas that must have received a result before its copy on disk is deleted;
    /// 0 to wait for none.
    pub wait_replicas: u32,
}

impl QueueConfig {
    /// Returns the time for which results are kept, in seconds; 0 for forever. The scripts expect
    /// this form.
    pub fn result_ttl_seconds(&self) -> u64 {
        self.result_ttl.map_or(0, |ttl| ttl.as_secs())
    }
}

/// The end of a list from which jobs are taken. Producers must push to the other end, so that jobs
/// run in the order in which they are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEnd {
    /// The left end, for producers that use RPUSH.
    Left,
    /// The right end, for producers that use LPUSH.
    Right,
}

/// The settings of jobs: limits, and the places of plugins, bars and artifacts.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// The number of jobs that run at the same time, at least 1.
    pub concurrency: usize,
    /// The time limit of a job. A job that runs longer is killed.
    pub timeout: Duration,
    /// True if jobs may use a GPU.
    pub gpu_enabled: bool,
    /// True if idle sleep of the machine is held off while jobs run.
    pub holds_off_sleep: bool,
    /// The settings of plugins.
    pub plugins: PluginsConfig,
    /// The source of bars.
    pub bars: BarsSource,
    /// The folder of models, reports and unsent results.
    pub artifacts_dir: PathBuf,
    /// The settings of Polygon's market data, if an API key is set.
    pub polygon: Option<PolygonConfig>,
}

/// The source of bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BarsSource {
    /// A folder with the files `SYMBOL.csv` or `SYMBOL.parquet`.
    Dir(PathBuf),
    /// Polygon's market data.
    Polygon,
    /// No source is configured.
    Unset,
}

/// The settings of the platform's backend.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// The base URL, without a trailing slash.
    pub url: String,
    /// The path of the registration.
    pub register_path: String,
    /// The path of heartbeats; `{worker_id}` is replaced by the worker's id.
    pub heartbeat_path: String,
    /// The bearer token, if one is needed.
    pub token: Option<Secret>,
    /// The time between heartbeats.
    pub heartbeat_every: Duration,
}

/// The settings of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// The least severe level that is logged.
    pub level: tracing::Level,
    /// The format of each event.
    pub format: LogFormat,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}
