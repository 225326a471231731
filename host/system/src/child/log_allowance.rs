//! Limits the number of output lines of one process that are logged.
//!
//! In: the length of each line. Out: whether the line is logged, and the number of unlogged lines.
//! Invariant: the logged lines are the first ones, without gaps.

/// The limits on the logged output of one process: the maximum numbers of lines and bytes.
const MAX_LOGGED_LINES: usize = 200;
const MAX_LOGGED_BYTES: usize = 64 << 10;

/// Counts the lines of one process and decides which of them are logged.
#[derive(Debug)]
pub struct LogAllowance {
    max_lines: usize,
    max_bytes: usize,
    n_lines: usize,
    n_bytes: usize,
    n_unlogged: usize,
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineDecision {
    Logged,
    /// The first line over the limit. Only this line causes a warning, so that the log shows that
    /// lines are missing.
    FirstUnlogged,
    Unlogged,
}

impl LogAllowance {
    /// Creates an allowance without a limit, for processes whose output is the log of this program.
    pub fn unlimited() -> Self {
        Self { max_lines: usize::MAX, max_bytes: usize::MAX, n_lines: 0, n_bytes: 0, n_unlogged: 0 }
    }

    /// Creates an allowance of 200 lines and 64 KiB, for processes that run plugin code.
    pub fn limited() -> Self {
        Self { max_lines: MAX_LOGGED_LINES, max_bytes: MAX_LOGGED_BYTES, ..Self::unlimited() }
    }

    /// Returns the number of lines that were not logged.
    pub(super) fn n_unlogged(&self) -> usize {
        self.n_unlogged
    }

    /// Counts a line and decides whether it is logged.
    pub(super) fn admit(&mut self, n_bytes: usize) -> LineDecision {
        self.n_lines += 1;
        self.n_bytes = self.n_bytes.saturating_add(n_bytes);
        // No line is logged after an unlogged one, even if it is short enough: a log with gaps
        // would mislead its reader.
        if self.n_unlogged == 0 && self.n_lines <= self.max_lines && self.n_bytes <= self.max_bytes {
            return LineDecision::Logged;
        }
        self.n_unlogged += 1;
        if self.n_unlogged == 1 { LineDecision::FirstUnlogged } else { LineDecision::Unlogged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[usize]) -> (usize, usize, usize) {
        let mut allowance = LogAllowance::limited();
        let decisions: Vec<_> = lines.iter().map(|&n_bytes| allowance.admit(n_bytes)).collect();
        let count = |expected| decisions.iter().filter(|decision| **decision == expected).count();
        (count(LineDecision::Logged), count(LineDecision::FirstUnlogged), allowance.n_unlogged())
    }

    #[test]
    fn lines_over_the_limit_are_announced_once() {
        assert_eq!(count(&[10; 5000]), (MAX_LOGGED_LINES, 1, 5000 - MAX_LOGGED_LINES));
    }

    #[test]
    fn long_lines_reach_the_byte_limit_and_leave_no_gap() {
        assert_eq!(count(&[MAX_LOGGED_BYTES - 10, 100, 1]), (1, 1, 2));
    }
}
