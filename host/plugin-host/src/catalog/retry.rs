//! Files whose examination had no result, and when each is examined again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::snapshot::FileState;
use crate::file_id::FileId;

/// Delay before a file is examined again that is being written.
const PENDING_DELAY: Duration = Duration::from_millis(500);
/// First and longest delay before a file is examined again that failed through the machine's fault.
const FIRST_DELAY: Duration = Duration::from_secs(10);
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// The files to examine again.
#[derive(Debug, Default)]
pub(super) struct Retries(BTreeMap<PathBuf, Retry>);

#[derive(Debug)]
struct Retry {
    /// Id of the file before its last examination.
    file_id: Option<FileId>,
    state: FileState,
    n_repeats: u32,
    /// `None` once the next examination is queued.
    due_at: Option<Instant>,
}

impl Retries {
    /// Adds a file with its present state. The delay doubles while the state stays the same.
    pub(super) fn add(&mut self, path: &Path, file_id: Option<FileId>, state: FileState, now: Instant) {
        let before = self.0.get(path).filter(|before| before.state == state);
        let n_repeats = before.map_or(0, |before| before.n_repeats + 1);
        let delay = match state {
            FileState::Pending => PENDING_DELAY,
            _ => LONGEST_DELAY.min(FIRST_DELAY * 2u32.saturating_pow(n_repeats.min(10))),
        };
        self.0.insert(path.to_owned(), Retry { file_id, state, n_repeats, due_at: Some(now + delay) });
    }

    /// Removes a file whose examination had a result.
    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Removes the files that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&PathBuf) -> bool) {
        self.0.retain(|path, _| is_there(path));
    }

    /// Returns whether the next examination of a file may be queued: it is due, or the file has changed.
    pub(super) fn begin(&mut self, path: &Path, file_id: FileId, now: Instant) -> bool {
        let Some(retry) = self.0.get_mut(path) else { return true };
        let is_early = retry.file_id == Some(file_id) && retry.due_at.is_some_and(|at| now < at);
        if !is_early {
            retry.due_at = None;
        }
        !is_early
    }

    /// Returns the state of a file that is to be examined again.
    pub(super) fn state(&self, path: &Path) -> Option<&FileState> {
        self.0.get(path).map(|retry| &retry.state)
    }

    /// Returns whether a file is being written.
    pub(super) fn has_pending(&self) -> bool {
        self.0.values().any(|retry| retry.state == FileState::Pending)
    }

    /// Returns when the next file is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|retry| retry.due_at).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_from_ten_seconds_to_ten_minutes_while_the_state_stays_the_same() {
        let (now, path) = (Instant::now(), Path::new("/p/a"));
        let refused = |reason: &str| FileState::Refused { reason: reason.to_owned() };
        let mut retries = Retries::default();
        let mut delay_s = |reason: &str| {
            retries.add(path, None, refused(reason), now);
            (retries.next_due().unwrap() - now).as_secs()
        };
        let delays: Vec<_> = (0..9).map(|_| delay_s("no memory")).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(delay_s("no library"), 10, "another state starts again");
    }

    #[test]
    fn a_file_that_has_changed_is_examined_at_once() {
        let (now, path, unchanged) = (Instant::now(), Path::new("/p/a"), FileId::from_path(Path::new("/")).unwrap());
        let changed = FileId::from_path(&std::env::current_exe().unwrap()).unwrap();
        let mut retries = Retries::default();
        retries.add(path, Some(unchanged), FileState::Refused { reason: "no memory".to_owned() }, now);
        assert!(!retries.begin(path, unchanged, now + FIRST_DELAY / 2));
        assert!(retries.begin(path, changed, now));
        assert_eq!(retries.next_due(), None, "it is queued");
        assert!(retries.begin(path, unchanged, now), "and may be queued again, if it was not started");
    }
}
