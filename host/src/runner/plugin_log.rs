//! Writes what plugins log and report during a job to this process's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oculus_plugin_host::process::Listener;
use oculus_plugin_host::protocol::Event;

/// Lines that one plugin may log per job.
const MOST_LOG_LINES: usize = 5000;

/// Creates a listener that logs what one plugin reports in addition to its replies.
pub(crate) fn plugin_log(plugin: &str) -> Listener {
    let plugin = plugin.to_owned();
    let n_lines = AtomicUsize::new(0);
    Arc::new(move |event| match event {
        Event::Log { .. } if n_lines.fetch_add(1, Ordering::Relaxed) > MOST_LOG_LINES => {}
        Event::Log { .. } if n_lines.load(Ordering::Relaxed) > MOST_LOG_LINES => {
            tracing::warn!(plugin, "logs too much: its further lines are not in the log");
        }
        Event::Log { level: 1, message, .. } => tracing::error!(plugin, "{message}"),
        Event::Log { level: 2, message, .. } => tracing::warn!(plugin, "{message}"),
        Event::Log { level: 3, message, .. } => tracing::info!(plugin, "{message}"),
        Event::Log { level: 4, message, .. } => tracing::debug!(plugin, "{message}"),
        Event::Log { message, .. } => tracing::trace!(plugin, "{message}"),
        Event::Progress { fraction, message, .. } => tracing::debug!(plugin, fraction, "{message}"),
        Event::Metric { name, step, value, .. } => tracing::debug!(plugin, name, step, value, "metric"),
        Event::Reply { .. } | Event::Examining { .. } | Event::Found { .. } | Event::Unusable { .. } => {}
    })
}
