//! Reads the configuration again on SIGHUP, and applies what can change while jobs run.
//!
//! In: SIGHUP. Out: a new log level, concurrency and plugin trust list. Invariant: an invalid
//! configuration changes nothing. A setting that needs a restart is named until the restart.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::WorkerContext;
use crate::config::{ChangedSetting, Config, ConfigError, ConfigFlags, SettingTexts};
use crate::logging::LogLevel;

/// The variables that are applied without a restart.
const APPLIED: [&str; 4] = ["LOG_LEVEL", "WORKER_CONCURRENCY", "PLUGINS_TRUST", "PLUGINS_TRUSTED"];

/// The sources of the configuration, and the level of the log.
pub struct ReloadSource {
    /// The command-line flags of the process.
    pub flags: ConfigFlags,
    /// The level of the log, which can change.
    pub log_level: LogLevel,
}

/// Installs the handler of SIGHUP.
///
/// # Errors
/// Returns [`io::Error`] if the handler cannot be installed.
pub(super) fn listen() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reloads the configuration on each SIGHUP, until the task is aborted.
pub(super) async fn run(worker: Arc<WorkerContext>, mut hangups: Signal, source: ReloadSource) {
    let mut applied = worker.config.texts.clone();
    while hangups.recv().await.is_some() {
        match Config::from_process(&source.flags) {
            Ok(config) => apply(&worker, &source.log_level, &config, &mut applied),
            Err(ConfigError { problems }) => tracing::error!(
                "SIGHUP: the new configuration is invalid, so the current one stays: {}",
                problems.join("; ")
            ),
        }
    }
}

/// Applies a valid configuration, and logs each change.
fn apply(worker: &WorkerContext, log_level: &LogLevel, config: &Config, applied: &mut SettingTexts) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let (changed, needs_restart): (Vec<_>, Vec<_>) =
        applied.changes(&config.texts).into_iter().partition(|change| APPLIED.contains(&change.name));
    // A more verbose level is applied before the changes are logged, and a less verbose one
    // afterwards, so that the log contains them in both cases.
    log_level.raise(config.log.level);
    worker.slots.set_limit(config.jobs.concurrency);
    if changed.iter().any(|change| change.name.starts_with("PLUGINS_")) {
        worker.catalog.set_trust(config.jobs.plugins.trust.clone());
    }
    for ChangedSetting { name, from, to } in &changed {
        tracing::info!(name, from, to, "SIGHUP: setting changed");
        applied.copy(name, &config.texts);
    }
    for ChangedSetting { name, from, to } in &needs_restart {
        tracing::warn!(name, from, to, "SIGHUP: changed setting not applied; restart the worker to apply it");
    }
    if changed.is_empty() && needs_restart.is_empty() {
        tracing::info!("SIGHUP: no setting has changed");
    }
    log_level.set(config.log.level);
}
