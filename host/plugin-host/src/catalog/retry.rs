//! Files whose examination had no result, and when each is examined again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oculus_system::backoff;

use super::schedule::Task;
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
    /// Id of the file when its last examination was queued.
    file_id: FileId,
    state: FileState,
    /// Consecutive examinations with this state.
    n_failed: u32,
    /// `None` once the next examination is queued.
    due_at: Option<Instant>,
}

impl Retries {
    /// Adds a file with its present state. The delay doubles while the state stays the same.
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

    /// Removes a file whose examination had a result.
    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Removes the files that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&PathBuf) -> bool) {
        self.0.retain(|path, _| is_there(path));
    }

    /// Returns whether a task may be queued: it is due, or its file has changed.
    pub(super) fn begin(&mut self, task: &Task, now: Instant) -> bool {
        let Some(retry) = self.0.get_mut(&task.path) else { return true };
        let is_early = retry.file_id == task.file_id && retry.due_at.is_some_and(|at| now < at);
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
mod tests {
    use super::*;
    use crate::catalog::schedule::TaskKind;

    /// An examination of a file that has the id of another one.
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
        assert_eq!(delay_s("no library"), 10, "another state starts again");
    }

    #[test]
    fn a_file_that_has_changed_is_examined_at_once() {
        let now = Instant::now();
        let unchanged = task(Path::new("/"));
        let changed = task(&std::env::current_exe().unwrap());
        let mut retries = Retries::default();
        retries.add(&unchanged, FileState::Refused { reason: "no memory".to_owned() }, now);
        assert!(!retries.begin(&unchanged, now + FIRST_DELAY / 2));
        assert!(retries.begin(&changed, now));
        assert_eq!(retries.next_due(), None, "it is queued");
        assert!(retries.begin(&unchanged, now), "and may be queued again, if it was not started");
    }
}
