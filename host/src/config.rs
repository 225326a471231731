//! Reads the configuration from flags, environment and files, and checks it.
//!
//! In: command-line flags, the process environment, `--config FILE` and `.env`. Out: a [`Config`]
//! of valid values, or a [`ConfigError`] that lists all problems together. Invariant: no message
//! contains a secret.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod check;
mod check_redis;
mod error;
mod files;
mod flags;
mod layers;
mod redis_address;
mod settings;
#[cfg(test)]
mod tests;
mod texts;
mod variables;

pub use error::ConfigError;
pub use flags::ConfigFlags;
pub use redis_address::{
    ClientCertificate, HostPort, RedisAddress, RedisEndpoint, RedisTimeouts, RedisTls, SentinelGroup, ServerPlace,
    Verification,
};
pub use settings::{BackendConfig, BarsSource, JobsConfig, LogConfig, LogFormat, QueueConfig, QueueEnd};
pub use texts::{ChangedSetting, SettingTexts};

use check::Checker;
use layers::{GatheredSettings, Layers};

/// All settings, after the check.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of Redis.
    pub redis: RedisAddress,
    /// The settings of the queues.
    pub queue: QueueConfig,
    /// The settings of jobs.
    pub jobs: JobsConfig,
    /// The backend that the worker reports to.
    pub backend: BackendConfig,
    /// The settings of the log.
    pub log: LogConfig,
    /// The time for which jobs may run after the first signal; `None` for no limit.
    pub drain_limit: Option<Duration>,
    /// The values as text, to find the differences to another configuration.
    pub texts: SettingTexts,
    /// Problems that do not prevent a start. The worker logs them once.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads flags, the environment of this process and the files, in that order of precedence.
    ///
    /// # Errors
    /// Returns [`ConfigError`] with all problems.
    pub fn from_process(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        // A variable whose name or value is not Unicode is ignored, because settings are text.
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self::load(flags, environment, &folder)
    }

    /// Reads flags, the given environment, and the files.
    ///
    /// * `folder`: the working folder, to which relative paths refer.
    ///
    /// # Errors
    /// Returns [`ConfigError`] with all problems.
    pub fn load(
        flags: &ConfigFlags,
        environment: impl IntoIterator<Item = (String, String)>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let environment: HashMap<String, String> = environment.into_iter().collect();
        let GatheredSettings { layers, mut problems, warnings } = Layers::gather(flags, &environment, folder);
        let mut checker = Checker::new(&layers, folder);
        let mut config = Self {
            redis: checker.redis(),
            queue: checker.queue(),
            jobs: checker.jobs(&environment),
            backend: checker.backend(),
            log: checker.log(),
            drain_limit: checker.drain_limit(),
            texts: SettingTexts::from_layers(&layers),
            warnings,
        };
        problems.extend(checker.problems);
        config.warnings.extend(checker.warnings);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}
