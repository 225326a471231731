//! Configures the log. Each event has a time, a level, a message and fields. The worker logs to
//! stdout, and every other command logs to stderr.

use std::io::IsTerminal;

use parking_lot::Mutex;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::config::{LogConfig, LogFormat};

/// The destination of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Stdout, for the worker.
    Stdout,
    /// Stderr, for commands that print their output on stdout.
    Stderr,
    /// Stderr, for a child process. The lines have no time, because the parent adds the time to its
    /// own log.
    Parent,
}

/// The level of the log, which can be changed while the process runs.
pub struct LogLevel {
    filter: reload::Handle<Targets, Registry>,
    level: Mutex<Level>,
}

impl LogLevel {
    /// Changes the level, unless the new one is less verbose.
    pub(crate) fn raise(&self, level: Level) {
        let current = *self.level.lock();
        self.set(level.max(current));
    }

    /// Changes the level. Processes that are started later use it too.
    pub(crate) fn set(&self, level: Level) {
        *self.level.lock() = level;
        // This fails only if another log is installed, whose level is fixed.
        let _ = self.filter.reload(levels(level));
    }
}

/// Returns the filter of a level.
fn levels(level: Level) -> Targets {
    // Targets match by prefix: `oculus_` covers all crates of this program.
    Targets::new().with_default(Level::WARN.min(level)).with_target("oculus_", level)
}

/// Starts the log of this process, and returns its level. A second call has no effect.
///
/// Third-party libraries log only warnings and errors, whatever the configured level is.
pub(crate) fn init(config: LogConfig, output: Output) -> LogLevel {
    let (filter, handle) = reload::Layer::new(levels(config.level));
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
    // This fails only if a log is already installed. That log then remains.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    LogLevel { filter: handle, level: Mutex::new(config.level) }
}
