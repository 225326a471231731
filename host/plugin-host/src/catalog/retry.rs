//! The files whose examination had no result, and the time at which each is examined again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oculus_system::backoff;

use super::schedule::Task;
use super::snapshot::FileState;
use crate::file_id::FileId;

/// Delay before a file that is being written is examined again.
const PENDING_DELAY: Duration = Duration::from_millis(500);
/// First delay before an examination is repeated after a fault of the machine.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// Longest delay before an examination is repeated after a fault of the machine.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// The files to examine again.
#[derive(Debug, Default)]
pub(super) struct Retries(BTreeMap<PathBuf, Retry>);

/// One file to examine again.
#[derive(Debug)]
struct Retry {
    /// Id of the file when its last examination was queued.
    file_id: FileId,
    state: FileState,
    /// The number of consecutive examinations that resulted in this state.
    n_failed: u32,
    /// Time of the next examination; `None` once it is queued.
    due_at: Option<Instant>,
}

impl Retries {
    /// Schedules the next examination of a file. The delay doubles while the state stays the same.
    pub(super) fn add(&mut self, task: &Task, state: FileState, now: Instant) {
        let before = self.0.get(&task.path).filter(|before| before.state == state);
        let n_failed = before.map_or(1, |before| before.n_failed.saturating_add(1));
        let delay = match state {
            FileState::Pending => PENDING_DELAY,
            _ => backoff::doubled(FIRST_DELAY, LONGEST_DELAY, n_failed),
        };
        let retry = Retry { file_id: task.file_id, state, n_failed, due_at: Some(now + delay) };
        self.0.insert(task.path.clone(), retry);
    }

    /// Removes a file after an examination that had a result.
    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Keeps only the files that still exist.
    pub(super) fn retain(&mut self, exists: impl Fn(&PathBuf) -> bool) {
        self.0.retain(|path, _| exists(path));
    }

    /// Returns whether a task may be queued: it must be due, or its file must have changed. If so,
    /// marks the task as queued.
    pub(super) fn begin(&mut self, task: &Task, now: Instant) -> bool {
        let Some(retry) = self.0.get_mut(&task.path) else { return true };
        let is_early = retry.file_id == task.file_id && retry.due_at.is_some_and(|at| now < at);
        if !is_early {
            retry.due_at = None;
        }
        !is_early
    }

    /// Returns the state of a file that will be examined again.
    pub(super) fn state(&self, path: &Path) -> Option<&FileState> {
        self.0.get(path).map(|retry| &retry.state)
    }

    /// Returns whether a file is being written.
    pub(super) fn has_pending(&self) -> bool {
        self.0.values().any(|retry| retry.state == FileState::Pending)
    }

    /// Returns the time at which the next file is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|retry| retry.due_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schedule::TaskKind;

    /// Returns a task on `/p/a` with the file id of another path.
    fn task(same_id_as: &Path) -> Task {
        let file_id = FileId::from_path(same_id_as).unwrap();
        Task { path: "/p/a".into(), file_id, kind: TaskKind::File, is_awaited: true }
    }

    #[test]
    fn the_delay_doubles_from_ten_seconds_to_ten_minutes_while_the_state_stays_the_same() {
        let now = Instant::now();
        let refused = |reason: &str| FileState::Refused { reason: reason.to_owned() };
        let mut retries = Retries::default();
        let mut delay_s = |reason: &str| {
            retries.add(&task(Path::new("/")), refused(reason), now);
            (retries.next_due().unwrap() - now).as_secs()
        };
        let delays: Vec<_> = (0..9).map(|_| delay_s("no memory")).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(delay_s("no library"), 10, "another state restarts the delay");
    }

    #[test]
    fn a_file_that_has_changed_is_examined_immediately() {
        let now = Instant::now();
        let unchanged = task(Path::new("/"));
        let changed = task(&std::env::current_exe().unwrap());
        let mut retries = Retries::default();
        retries.add(&unchanged, FileState::Refused { reason: "no memory".to_owned() }, now);
        assert!(!retries.begin(&unchanged, now + FIRST_DELAY / 2));
        assert!(retries.begin(&changed, now));
        assert_eq!(retries.next_due(), None, "it is queued");
        assert!(retries.begin(&unchanged, now), "a task that was queued but not started may be queued again");
    }
}
