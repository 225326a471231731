//! Reads the pipes of a child process to their ends, on one thread per pipe.
//!
//! In: stdout and stderr. Out: log lines, and the last lines of each pipe.
//! Invariant: a pipe is always read, so that the child never blocks on output; memory is bounded by
//! [`KEPT_LINES`].

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;

use super::flood::{LineFate, LogAllowance};
use crate::log_line;

/// Last lines of each pipe that are kept for the report of a death.
pub const KEPT_LINES: usize = 50;
/// A longer line is cut into several, so that a line without end does not fill the memory.
const MAX_LINE_BYTES: u64 = 8 << 10;

/// The names under which lines of a child are logged.
#[derive(Clone, Debug, Default)]
pub struct OutputLabel {
    /// The job that the child runs.
    pub job: Option<String>,
    /// The plugin that the child loads.
    pub plugin: Option<String>,
}

type LastLines = Arc<Mutex<VecDeque<String>>>;

/// Both pipes of one process.
pub struct ChildOutput {
    label: OutputLabel,
    stdout: LastLines,
    stderr: LastLines,
    allowance: Arc<Mutex<LogAllowance>>,
    all_ended: mpsc::Receiver<()>,
}

impl ChildOutput {
    /// Starts reading what a process prints.
    pub fn read(
        stdout: Option<impl Read + Send + 'static>,
        stderr: Option<impl Read + Send + 'static>,
        label: OutputLabel,
        allowance: LogAllowance,
    ) -> Self {
        let kept = [LastLines::default(), LastLines::default()];
        Self::start(stdout, stderr, kept, label, allowance)
    }

    /// Starts reading what a process prints, and keeps the lines of both pipes in one list, in the order of their arrival.
    pub fn read_merged(
        stdout: Option<impl Read + Send + 'static>,
        stderr: Option<impl Read + Send + 'static>,
        label: OutputLabel,
        allowance: LogAllowance,
    ) -> Self {
        let kept = LastLines::default();
        Self::start(stdout, stderr, [Arc::clone(&kept), kept], label, allowance)
    }

    fn start(
        stdout: Option<impl Read + Send + 'static>,
        stderr: Option<impl Read + Send + 'static>,
        kept: [LastLines; 2],
        label: OutputLabel,
        allowance: LogAllowance,
    ) -> Self {
        let allowance = Arc::new(Mutex::new(allowance));
        let (ended, all_ended) = mpsc::channel();
        let reader = |kept: &LastLines| PipeReader {
            label: label.clone(),
            kept: Arc::clone(kept),
            allowance: Arc::clone(&allowance),
            _ended: ended.clone(),
        };
        reader(&kept[0]).spawn(stdout);
        reader(&kept[1]).spawn(stderr);
        let [stdout, stderr] = kept;
        Self { label, stdout, stderr, allowance, all_ended }
    }

    /// Returns the last lines on stdout and stderr of a process that has ended; of merged pipes, all in the first list.
    ///
    /// * `grace`: how long to wait for the ends of the pipes. They end with the process, unless it left children behind
    ///   that hold them open.
    pub fn last_lines(self, grace: Duration) -> [Vec<String>; 2] {
        let _ = self.all_ended.recv_timeout(grace);
        let n_lines = self.allowance.lock().n_unlogged();
        if n_lines > 0 {
            let OutputLabel { job, plugin } = &self.label;
            tracing::warn!(job, plugin, "printed {n_lines} more lines, which are not in the log");
        }
        [&self.stdout, &self.stderr].map(|kept| std::mem::take(&mut *kept.lock()).into())
    }
}

/// Reads one pipe to its end.
struct PipeReader {
    label: OutputLabel,
    kept: LastLines,
    allowance: Arc<Mutex<LogAllowance>>,
    /// Dropped at the end of the pipe: the receiver returns when every reader has ended.
    _ended: mpsc::Sender<()>,
}

impl PipeReader {
    fn spawn(self, pipe: Option<impl Read + Send + 'static>) {
        if let Some(pipe) = pipe {
            std::thread::spawn(move || self.read(pipe));
        }
    }

    fn read(self, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while (&mut pipe).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
            self.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }

    fn keep(&self, line: String) {
        let OutputLabel { job, plugin } = &self.label;
        let fate = self.allowance.lock().admit(line.len());
        match fate {
            LineFate::Logged => log_line::forward(job.as_deref(), plugin.as_deref(), &line),
            LineFate::FirstUnlogged => {
                tracing::warn!(job, plugin, "prints too much for the log: its further lines are only counted");
            }
            LineFate::Unlogged => {}
        }
        let mut kept = self.kept.lock();
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_pipes_share_one_list() {
        let stdout: &[u8] = b"one\n";
        let stderr: &[u8] = b"two\n";
        let label = OutputLabel::default();
        let output = ChildOutput::read_merged(Some(stdout), Some(stderr), label, LogAllowance::unlimited());
        let [mut lines, others] = output.last_lines(Duration::from_secs(60));
        lines.sort();
        assert_eq!((lines, others.len()), (vec!["one".to_owned(), "two".to_owned()], 0));
    }

    #[test]
    fn a_line_without_end_is_kept_in_pieces_and_only_the_last_ones() {
        let pipe: &[u8] = &[b'x'; 1 << 20];
        let label = OutputLabel::default();
        let output = ChildOutput::read(Some(pipe), None::<&[u8]>, label, LogAllowance::limited());
        let [stdout, stderr] = output.last_lines(Duration::from_secs(60));
        assert_eq!((stdout.len(), stdout[0].len(), stderr.len()), (KEPT_LINES, MAX_LINE_BYTES as usize, 0));
    }
}
