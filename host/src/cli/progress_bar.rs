//! Shows the progress of a job on stderr: a bar on a terminal, lines of text otherwise.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use oculus_job::progress::Phase;
use parking_lot::Mutex;
use serde_json::{Map, Value};

/// A progress bar for one job. If stderr is not a terminal, one line per phase is printed instead.
pub(super) struct JobProgressBar {
    bar: ProgressBar,
    /// The phase of the last printed line.
    printed: Mutex<Option<Phase>>,
}

impl JobProgressBar {
    /// Creates an empty bar.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(100);
        let style = ProgressStyle::with_template("{elapsed:>4} {bar:30.cyan} {pos:>3} %  {prefix:.bold} {wide_msg}");
        Self { bar: style.map(|style| bar.clone().with_style(style)).unwrap_or(bar), printed: Mutex::new(None) }
    }

    /// Shows the progress of a job.
    pub(super) fn show(&self, phase: Phase, details: &Map<String, Value>) {
        let percent = details.get("percent").and_then(Value::as_f64).unwrap_or(0.0);
        let message = details.get("message").and_then(Value::as_str).unwrap_or_default();
        self.bar.set_position(percent as u64);
        self.bar.set_prefix(phase.name());
        self.bar.set_message(message.to_owned());
        // Without a terminal `indicatif` draws nothing, so the lines are printed here.
        let mut printed = self.printed.lock();
        if !std::io::stderr().is_terminal() && *printed != Some(phase) {
            *printed = Some(phase);
            eprintln!("{percent:>3.0} %  {:<22} {message}", phase.name());
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for JobProgressBar {
    fn default() -> Self {
        Self::new()
    }
}
