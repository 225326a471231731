//! Flags, environment and files in; one checked, frozen [`Config`] out.
//!
//! In: command-line flags, the process environment, `--config FILE`, `.env`. Out: a [`Config`] whose every value is
//! known to be usable, or a [`ConfigError`] that lists all problems at once.
//! Invariant: nothing else in the crate reads the environment, and no secret is ever shown.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use oculus_market_data::PolygonConfig;
use oculus_plugin_host::config::PluginsConfig;
use oculus_system::secret::{RedisAddress, Secret};

mod check;
mod files;
mod layers;
pub mod variables;

use check::Checker;
use layers::Layers;

/// Flags that stand above every other source.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// File of settings in `.env` syntax; stands below the environment and above `./.env`
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Folder of plugins (PLUGINS_DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub plugins: Option<PathBuf>,
    /// Folder of bars, SYMBOL.csv or SYMBOL.parquet (BARS_SOURCE=dir:DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub bars: Option<PathBuf>,
    /// Jobs at once (WORKER_CONCURRENCY)
    #[arg(long, value_name = "N", global = true)]
    pub concurrency: Option<String>,
}

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Redis is.
    pub redis: RedisAddress,
    /// How jobs are queued.
    pub queue: QueueConfig,
    /// How jobs run.
    pub jobs: JobsConfig,
    /// Whom the worker reports to.
    pub backend: BackendConfig,
    /// What is logged.
    pub log: LogConfig,
    /// What is odd but no reason to stop; to be logged once.
    pub warnings: Vec<String>,
}

/// The names and limits of the queue.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// Lists that jobs are taken from, the first with priority; never empty.
    pub names: Vec<String>,
    /// Which end of the list is the next job.
    pub end: QueueEnd,
    /// A payload is at `<job_prefix>:<id>`.
    pub job_prefix: String,
    /// A result is at `<result_prefix>:<id>`.
    pub result_prefix: String,
    /// How long results are kept; `None` is for ever.
    pub result_ttl: Option<Duration>,
    /// How long a job stays with a worker that no longer renews its lease.
    pub lease: Duration,
    /// Deaths of a job's process until the job is given up.
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
    /// Plugins, and how far they are trusted.
    pub plugins: PluginsConfig,
    /// Where bars come from.
    pub bars: BarsSource,
    /// Where models, reports and unsent results are kept.
    pub artifacts_dir: PathBuf,
    /// Polygon's market data, where there is a key.
    pub polygon: Option<PolygonConfig>,
}

/// Where bars come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BarsSource {
    /// Files `SYMBOL.csv` or `SYMBOL.parquet` in a folder.
    Dir(PathBuf),
    /// Polygon's market data.
    Polygon,
    /// Nobody said.
    Unset,
}

/// The platform's backend.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// Base address, without a slash at its end.
    pub url: String,
    /// Path of the registration.
    pub register_path: String,
    /// Path of heartbeats; `{worker_id}` stands for the worker's id.
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
    /// One line of text or one JSON object an event.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// All that is wrong with the settings, each with where it was said and what is allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence a problem.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.problems.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {noun} with the configuration:", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads flags, the process's environment and the files, in that order of precedence.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn of_process(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self::load(flags, environment, &folder)
    }

    /// The same from a given environment and working folder.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        flags: &ConfigFlags,
        environment: impl IntoIterator<Item = (String, String)>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let environment: HashMap<String, String> = environment.into_iter().collect();
        let (layers, mut problems, warnings) = Layers::gather(flags, &environment, folder);
        let mut checker = Checker::new(&layers, folder);
        let config = Self {
            redis: checker.redis(),
            queue: checker.queue(),
            jobs: checker.jobs(&environment),
            backend: checker.backend(),
            log: checker.log(),
            warnings,
        };
        problems.extend(checker.problems);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

#[cfg(test)]
mod tests;
