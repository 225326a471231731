//! What a plugin process prints: a first part goes into the log, all of it is read, the last lines are kept.
//!
//! In: its stdout and stderr. Out: the last lines of each. A process may print as much as it likes: no pipe fills up, and
//! neither log nor memory grows with it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use oculus_system::log_line;

/// Lines of each pipe that are kept for an obituary.
const KEPT_LINES: usize = 50;
/// A longer line is cut into several, so that one without end does not fill the memory.
const LONGEST_LINE: u64 = 4096;
/// Lines and bytes of one process that go into the log.
const LOGGED_LINES: usize = 200;
const LOGGED_BYTES: usize = 64 << 10;
/// How long pipes may stay open that something outside the process's group still holds.
const LINGERING: Duration = Duration::from_millis(500);

/// Both pipes of one process, each read on a thread of its own.
pub(super) struct Output {
    name: String,
    stdout: Kept,
    stderr: Kept,
    allowance: Arc<Mutex<Allowance>>,
    all_ended: mpsc::Receiver<()>,
}

type Kept = Arc<Mutex<VecDeque<String>>>;

impl Output {
    /// Reads what the process prints from now on.
    pub(super) fn of(child: &mut Child, name: &str) -> Self {
        let (allowance, stdout, stderr) = (Arc::default(), Kept::default(), Kept::default());
        let (ended, all_ended) = mpsc::channel();
        let reader = |kept: &Kept| Reader {
            name: name.to_owned(),
            kept: Arc::clone(kept),
            allowance: Arc::clone(&allowance),
            _ended: ended.clone(),
        };
        let (of_stdout, of_stderr) = (reader(&stdout), reader(&stderr));
        if let Some(pipe) = child.stdout.take() {
            std::thread::spawn(move || of_stdout.read(pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            std::thread::spawn(move || of_stderr.read(pipe));
        }
        Self { name: name.to_owned(), stdout, stderr, allowance, all_ended }
    }

    /// The last lines on stdout and stderr of a process that is gone.
    pub(super) fn last_lines(self) -> [Vec<String>; 2] {
        // The pipes end with the process, unless it left children elsewhere that hold them: those are not waited for.
        let _ = self.all_ended.recv_timeout(LINGERING);
        let n_lines = locked(&self.allowance).n_unlogged;
        if n_lines > 0 {
            tracing::warn!(plugin = self.name, "printed {n_lines} more lines, which are not in the log");
        }
        [&self.stdout, &self.stderr].map(|kept| std::mem::take(&mut *locked(kept)).into())
    }
}

/// Reads one pipe to its end.
struct Reader {
    name: String,
    kept: Kept,
    allowance: Arc<Mutex<Allowance>>,
    /// Its end is the end of all of them.
    _ended: mpsc::Sender<()>,
}

impl Reader {
    fn read(self, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
            self.keep(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }

    fn keep(&self, line: String) {
        let admission = locked(&self.allowance).admit(line.len());
        match admission {
            Admission::Logged => log_line::forward(None, Some(&self.name), &line),
            Admission::FirstUnlogged => {
                tracing::warn!(plugin = self.name, "prints too much for the log: its further lines are only counted");
            }
            Admission::Unlogged => {}
        }
        let mut kept = locked(&self.kept);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

/// How much of what one process prints has gone into the log, and how much has not.
#[derive(Debug, Default)]
struct Allowance {
    n_lines: usize,
    n_bytes: usize,
    n_unlogged: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Logged,
    FirstUnlogged,
    Unlogged,
}

impl Allowance {
    fn admit(&mut self, n_bytes: usize) -> Admission {
        self.n_lines += 1;
        self.n_bytes += n_bytes;
        // Once over, always over: what is in the log has no gaps.
        if self.n_unlogged == 0 && self.n_lines <= LOGGED_LINES && self.n_bytes <= LOGGED_BYTES {
            return Admission::Logged;
        }
        self.n_unlogged += 1;
        if self.n_unlogged == 1 { Admission::FirstUnlogged } else { Admission::Unlogged }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(lines: &[usize]) -> (usize, usize, Allowance) {
        let mut allowance = Allowance::default();
        let admissions: Vec<_> = lines.iter().map(|&n_bytes| allowance.admit(n_bytes)).collect();
        let count = |wanted| admissions.iter().filter(|admission| **admission == wanted).count();
        (count(Admission::Logged), count(Admission::FirstUnlogged), allowance)
    }

    #[test]
    fn a_flood_is_logged_up_to_a_number_of_lines_and_then_told_once() {
        let (n_logged, n_told, allowance) = admitted(&[10; 5000]);
        assert_eq!((n_logged, n_told, allowance.n_unlogged), (LOGGED_LINES, 1, 5000 - LOGGED_LINES));
    }

    #[test]
    fn long_lines_use_the_log_up_sooner_and_leave_no_gap() {
        let (n_logged, n_told, allowance) = admitted(&[LOGGED_BYTES - 10, 100, 1]);
        assert_eq!((n_logged, n_told, allowance.n_unlogged), (1, 1, 2));
    }

    #[test]
    fn a_line_without_end_is_kept_in_pieces_and_only_the_last_ones() {
        let (kept, allowance) = (Kept::default(), Arc::default());
        let (ended, _) = mpsc::channel();
        let reader = Reader { name: "loud".to_owned(), kept: Arc::clone(&kept), allowance, _ended: ended };
        reader.read(vec![b'x'; 1 << 20].as_slice());
        let kept = locked(&kept);
        assert_eq!((kept.len(), kept[0].len()), (KEPT_LINES, LONGEST_LINE as usize));
    }
}
