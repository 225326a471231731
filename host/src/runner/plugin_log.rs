//! Writes the log lines and reports of plugins to the log of the job process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oculus_plugin_host::process::Listener;
use oculus_plugin_host::protocol::Event;

/// The number of lines that one plugin may log per job.
const MAX_LOG_LINES: usize = 5000;

/// Creates a listener that logs the events of one plugin, except its replies.
pub(crate) fn plugin_log(plugin: &str) -> Listener {
    let plugin = plugin.to_owned();
    let n_lines = AtomicUsize::new(0);
    Arc::new(move |event| match event {
        // The first arm counts the lines. Over the limit, it drops every line except the first.
        // This first line reaches the second arm, so the warning is logged once. `Relaxed` is
        // enough, because the number guards no other memory.
        Event::Log { .. } if n_lines.fetch_add(1, Ordering::Relaxed) > MAX_LOG_LINES => {}
        Event::Log { .. } if n_lines.load(Ordering::Relaxed) > MAX_LOG_LINES => {
            tracing::warn!(plugin, "plugin has logged {MAX_LOG_LINES} lines in this job: further lines are dropped");
        }
        Event::Log { level: 1, message, .. } => tracing::error!(plugin, "{message}"),
        Event::Log { level: 2, message, .. } => tracing::warn!(plugin, "{message}"),
        Event::Log { level: 3, message, .. } => tracing::info!(plugin, "{message}"),
        Event::Log { level: 4, message, .. } => tracing::debug!(plugin, "{message}"),
        Event::Log { message, .. } => tracing::trace!(plugin, "{message}"),
        // One event per epoch or tree would bury all other lines of a job, even at DEBUG.
        Event::Progress { fraction, message, .. } => tracing::trace!(plugin, fraction, "{message}"),
        Event::Metric { name, step, value, .. } => tracing::trace!(plugin, name, step, value, "metric"),
        Event::Reply { .. } | Event::Examining { .. } | Event::Found { .. } | Event::Unusable { .. } => {}
    })
}
