//! Reads the configuration from flags, environment and files, and checks it.
//!
//! In: command-line flags, the process environment, `--config FILE`, `.env`. Out: a [`Config`] of usable values, or a
//! [`ConfigError`] that lists all problems at once.
//! Invariant: no secret is ever shown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oculus_system::secret::RedisAddress;

mod check;
mod error;
mod files;
mod flags;
mod layers;
mod settings;
#[cfg(test)]
mod tests;
mod variables;

pub use error::ConfigError;
pub use flags::ConfigFlags;
pub use settings::{BackendConfig, BarsSource, JobsConfig, LogConfig, LogFormat, QueueConfig, QueueEnd};

use check::Checker;
use layers::{Gathered, Layers};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of Redis.
    pub redis: RedisAddress,
    /// How jobs are queued.
    pub queue: QueueConfig,
    /// How jobs run.
    pub jobs: JobsConfig,
    /// The backend that the worker reports to.
    pub backend: BackendConfig,
    /// What is logged.
    pub log: LogConfig,
    /// Oddities that do not prevent a start; the worker logs them once.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads flags, the process's environment and the files, in that order of precedence.
    ///
    /// # Errors
    /// All problems with the configuration.
    pub fn from_process(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self::load(flags, environment, &folder)
    }

    /// Reads flags, a given environment, and the files relative to a working folder.
    ///
    /// # Errors
    /// All problems with the configuration.
    pub fn load(
        flags: &ConfigFlags,
        environment: impl IntoIterator<Item = (String, String)>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let environment: HashMap<String, String> = environment.into_iter().collect();
        let Gathered { layers, mut problems, warnings } = Layers::gather(flags, &environment, folder);
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
