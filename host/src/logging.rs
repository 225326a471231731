//! Configures the log. Each event has a time, a level, a message and fields. The worker logs to
//! stdout, and every other command logs to stderr.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

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

/// Starts the log of this process. A second call has no effect.
///
/// Third-party libraries log only warnings and errors, whatever the configured level is.
pub(crate) fn init(config: LogConfig, output: Output) {
    // Targets match by prefix: `oculus_` covers all crates of this program.
    let levels =
        Targets::new().with_default(tracing::Level::WARN.min(config.level)).with_target("oculus_", config.level);
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
    let _ = tracing_subscriber::registry().with(lines.with_filter(levels)).try_init();
}
