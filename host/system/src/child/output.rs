//! Reads stdout and stderr of a child process until they are closed, on one thread per pipe.
//!
//! In: stdout and stderr. Out: log lines, and the last lines of each pipe. Invariant: a pipe is
//! read continuously, so the child never blocks on output. Memory is bounded by [`KEPT_LINES`]
//! lines per pipe.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;

use super::log_allowance::{LineDecision, LogAllowance};
use crate::log_line;

/// Number of lines that are kept from the end of each pipe, for the report about a process that
/// died.
pub const KEPT_LINES: usize = 50;
/// Number of bytes after which a line is split. Endless output without a line break therefore
/// cannot fill the memory.
const MAX_LINE_BYTES: u64 = 8 << 10;

/// The log fields that state which child process printed a line.
#[derive(Clone, Debug, Default)]
pub struct OutputLabel {
    /// Id of the job that the child runs.
    pub job: Option<String>,
    /// Id of the plugin that the child loads.
    pub plugin: Option<String>,
}

type LastLines = Arc<Mutex<VecDeque<String>>>;

/// The output of one process: two pipes that are being read, and their last lines.
pub struct ChildOutput {
    label: OutputLabel,
    stdout: LastLines,
    stderr: LastLines,
    allowance: Arc<Mutex<LogAllowance>>,
    /// Disconnects when every reader has reached the end of its pipe.
    all_closed: mpsc::Receiver<()>,
}

impl ChildOutput {
    /// Starts reading the output of a process. The lines of each pipe are kept separately.
    pub fn read(
        stdout: Option<impl Read + Send + 'static>,
        stderr: Option<impl Read + Send + 'static>,
        label: OutputLabel,
        allowance: LogAllowance,
    ) -> Self {
        let kept = [LastLines::default(), LastLines::default()];
        Self::start(stdout, stderr, kept, label, allowance)
    }

    /// Starts reading the output of a process. The lines of both pipes are kept in one list, in the
    /// order of their arrival.
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
        let (open, all_closed) = mpsc::channel();
        let reader = |kept: &LastLines| PipeReader {
            label: label.clone(),
            kept: Arc::clone(kept),
            allowance: Arc::clone(&allowance),
            _open: open.clone(),
        };
        reader(&kept[0]).spawn(stdout);
        reader(&kept[1]).spawn(stderr);
        let [stdout, stderr] = kept;
        Self { label, stdout, stderr, allowance, all_closed }
    }

    /// Returns the last lines of stdout and of stderr. If the pipes are merged, the first list has
    /// all lines. Call this function after the process has exited.
    ///
    /// * `grace`: the longest time to wait until the pipes are closed. They close when the process
    ///   exits, unless children of the process still keep them open.
    pub fn last_lines(self, grace: Duration) -> [Vec<String>; 2] {
        let _ = self.all_closed.recv_timeout(grace);
        let n_lines = self.allowance.lock().n_unlogged();
        if n_lines > 0 {
            let OutputLabel { job, plugin } = &self.label;
            tracing::warn!(job, plugin, "the process printed {n_lines} more lines, which are not in the log");
        }
        [&self.stdout, &self.stderr].map(|kept| std::mem::take(&mut *kept.lock()).into())
    }
}

/// Reads one pipe to its end.
struct PipeReader {
    label: OutputLabel,
    kept: LastLines,
    allowance: Arc<Mutex<LogAllowance>>,
    /// A sender that is dropped at the end of the pipe. The receiver returns when all readers have
    /// dropped their senders.
    _open: mpsc::Sender<()>,
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
            // Native libraries may print bytes that are not UTF-8; the rest of the line is still
            // readable.
            self.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }

    fn keep(&self, line: String) {
        let OutputLabel { job, plugin } = &self.label;
        let decision = self.allowance.lock().admit(line.len());
        match decision {
            LineDecision::Logged => log_line::forward(job.as_deref(), plugin.as_deref(), &line),
            LineDecision::FirstUnlogged => {
                tracing::warn!(
                    job,
                    plugin,
                    "the process prints too much for the log: its further lines are only counted"
                );
            }
            LineDecision::Unlogged => {}
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
    fn merged_pipes_keep_their_lines_in_one_list() {
        let stdout: &[u8] = b"one\n";
        let stderr: &[u8] = b"two\n";
        let label = OutputLabel::default();
        let output = ChildOutput::read_merged(Some(stdout), Some(stderr), label, LogAllowance::unlimited());
        let [mut lines, others] = output.last_lines(Duration::from_secs(60));
        lines.sort();
        assert_eq!((lines, others.len()), (vec!["one".to_owned(), "two".to_owned()], 0));
    }

    #[test]
    fn a_line_without_a_line_break_is_split_and_its_last_pieces_are_kept() {
        let pipe: &[u8] = &[b'x'; 1 << 20];
        let label = OutputLabel::default();
        let output = ChildOutput::read(Some(pipe), None::<&[u8]>, label, LogAllowance::limited());
        let [stdout, stderr] = output.last_lines(Duration::from_secs(60));
        assert_eq!((stdout.len(), stdout[0].len(), stderr.len()), (KEPT_LINES, MAX_LINE_BYTES as usize, 0));
    }
}
