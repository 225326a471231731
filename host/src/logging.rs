//! The log: timestamps, level, message and fields; on stdout for the worker, on stderr for every other command.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogConfig, LogFormat};

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The worker's.
    Stdout,
    /// That of commands whose answer is on stdout.
    Stderr,
    /// A child's: plain lines on stderr, which the parent's log stamps.
    Parent,
}

/// Starts the log of this process. A second call changes nothing.
///
/// Libraries are heard from warnings upwards only, whatever the level.
pub fn init(config: LogConfig, output: Output) {
    let levels =
        Targets::new().with_default(tracing::Level::WARN.min(config.level)).with_target("oculus_host", config.level);
    let (writer, is_terminal) = match output {
        Output::Stdout => (fmt::writer::BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        Output::Stderr | Output::Parent => {
            (fmt::writer::BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal())
        }
    };
    let lines = fmt::layer().with_writer(writer).with_target(false).with_ansi(is_terminal);
    let lines = match config.format {
        LogFormat::Text if output == Output::Parent => lines.without_time().with_ansi(false).boxed(),
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Fails only where a log is already installed, which then stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(levels)).try_init();
}

/// Passes a line of a child on, at the level that the child's own log gave it; what a library printed is information.
pub fn pass_on(job: Option<&str>, plugin: Option<&str>, line: &str) {
    let (level, text) = level_of(line);
    match level {
        tracing::Level::ERROR => tracing::error!(job, plugin, "{text}"),
        tracing::Level::WARN => tracing::warn!(job, plugin, "{text}"),
        tracing::Level::INFO => tracing::info!(job, plugin, "{text}"),
        _ => tracing::debug!(job, plugin, "{text}"),
    }
}

/// The level that starts a line of a child's log, and the rest.
fn level_of(line: &str) -> (tracing::Level, &str) {
    let trimmed = line.trim_start();
    let first = trimmed.split(' ').next().unwrap_or_default();
    let is_level = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_uppercase());
    match first.parse() {
        Ok(level) if is_level => (level, trimmed[first.len()..].trim_start()),
        _ => (tracing::Level::INFO, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_line_keeps_its_level() {
        assert_eq!(level_of(" WARN plugin process died"), (tracing::Level::WARN, "plugin process died"));
        assert_eq!(level_of("ERROR no room"), (tracing::Level::ERROR, "no room"));
    }

    #[test]
    fn what_a_library_prints_is_information() {
        for line in ["[LightGBM] [Warning] x", "", "info: lower case is no level", "5 rows"] {
            assert_eq!(level_of(line), (tracing::Level::INFO, line));
        }
    }
}
