//! Limits how much of one process's output is logged.
//!
//! In: the length of each line. Out: whether the line is logged, and how many were not.
//! Invariant: the logged lines are the first ones, without gaps.

/// Lines and bytes of one process that are logged.
const LOGGED_LINES: usize = 200;
const LOGGED_BYTES: usize = 64 << 10;

/// Counts the lines of one process and decides which of them are logged.
#[derive(Debug)]
pub struct LogAllowance {
    max_lines: usize,
    max_bytes: usize,
    n_lines: usize,
    n_bytes: usize,
    n_unlogged: usize,
}

/// Decision on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFate {
    Logged,
    FirstUnlogged,
    Unlogged,
}

impl LogAllowance {
    /// Creates an allowance without limit, for processes whose lines are this program's own log.
    pub fn unlimited() -> Self {
        Self { max_lines: usize::MAX, max_bytes: usize::MAX, n_lines: 0, n_bytes: 0, n_unlogged: 0 }
    }

    /// Creates an allowance of 200 lines and 64 KiB, for processes that run foreign code.
    pub fn limited() -> Self {
        Self { max_lines: LOGGED_LINES, max_bytes: LOGGED_BYTES, ..Self::unlimited() }
    }

    /// Returns the number of lines that were not logged.
    pub(super) fn n_unlogged(&self) -> usize {
        self.n_unlogged
    }

    /// Counts a line and decides on it.
    pub(super) fn admit(&mut self, n_bytes: usize) -> LineFate {
        self.n_lines += 1;
        self.n_bytes = self.n_bytes.saturating_add(n_bytes);
        // Once over the limit, always over it: the lines in the log have no gaps.
        if self.n_unlogged == 0 && self.n_lines <= self.max_lines && self.n_bytes <= self.max_bytes {
            return LineFate::Logged;
        }
        self.n_unlogged += 1;
        if self.n_unlogged == 1 { LineFate::FirstUnlogged } else { LineFate::Unlogged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[usize]) -> (usize, usize, usize) {
        let mut allowance = LogAllowance::limited();
        let fates: Vec<_> = lines.iter().map(|&n_bytes| allowance.admit(n_bytes)).collect();
        let count = |wanted| fates.iter().filter(|fate| **fate == wanted).count();
        (count(LineFate::Logged), count(LineFate::FirstUnlogged), allowance.n_unlogged())
    }

    #[test]
    fn a_flood_is_logged_up_to_a_number_of_lines_and_then_announced_once() {
        assert_eq!(count(&[10; 5000]), (LOGGED_LINES, 1, 5000 - LOGGED_LINES));
    }

    #[test]
    fn long_lines_use_up_the_allowance_sooner_and_leave_no_gap() {
        assert_eq!(count(&[LOGGED_BYTES - 10, 100, 1]), (1, 1, 2));
    }
}
