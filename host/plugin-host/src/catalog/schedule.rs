//! When the folder is scanned and which examinations run: decisions only, without threads, files or a clock.
//!
//! In: events with the time at which they happened. Out: the next task, the next time to wake up, the callers to answer.
//! Invariants: at most [`MAX_RUNNING`] tasks run; a task that takes long delays no other task.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::file_id::FileId;

/// Tasks that run at once, those that take long included.
const MAX_RUNNING: usize = 64;
/// Tasks that run at once without those that take long.
const MAX_BUSY: usize = 4;
/// A task that runs longer than this takes long: it hangs, or waits for something.
const USUAL_DURATION: Duration = Duration::from_secs(1);
/// A burst of file-system events is over after this long without an event.
const QUIET: Duration = Duration::from_millis(150);
/// The longest burst that is waited for.
const LONGEST_BURST: Duration = Duration::from_millis(600);
/// Between two scans of a watched folder. Events are hints only: network file systems send none.
const RESCAN: Duration = Duration::from_secs(10);
/// Between two checks for changes without an event, such as of the journal.
const TICK: Duration = Duration::from_millis(500);
/// How long a caller waits for files that are being written or are still queued. Longer than it takes to call a
/// half-written file damaged.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// One examination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) path: PathBuf,
    /// Id of the published file when the task was queued.
    pub(super) file_id: FileId,
    pub(super) kind: TaskKind,
    /// Whether callers wait for it. They do not wait for an examination that had no result before, so that a restart is
    /// not delayed by it.
    pub(super) is_awaited: bool,
}

/// What is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    /// The content of a published file.
    File,
    /// The active generation of a file: this build of the host has not examined it yet, or is to examine it once more.
    Active,
}

/// Queued and running tasks, and the time of the next scan.
///
/// * `W`: a caller that waits for the end of a scan.
#[derive(Debug)]
pub(super) struct Schedule<W> {
    /// Tasks to start, the most urgent one last.
    queue: Vec<Task>,
    /// Tasks and when they were started.
    running: Vec<(Task, Instant)>,
    /// Callers and since when they wait.
    waiters: Vec<(W, Instant)>,
    is_watching: bool,
    burst_began: Option<Instant>,
    scan_at: Option<Instant>,
}

impl<W> Schedule<W> {
    /// Creates an idle schedule.
    pub(super) fn new() -> Self {
        Self {
            queue: Vec::new(),
            running: Vec::new(),
            waiters: Vec::new(),
            is_watching: false,
            burst_began: None,
            scan_at: None,
        }
    }

    /// Scans at once, and regularly from now on.
    pub(super) fn watch(&mut self, now: Instant) {
        self.is_watching = true;
        self.scan_at = Some(now);
    }

    /// Returns whether the folder is watched.
    pub(super) fn is_watching(&self) -> bool {
        self.is_watching
    }

    /// Scans once the burst is over that this event belongs to.
    pub(super) fn on_path_changed(&mut self, now: Instant) {
        let began = *self.burst_began.get_or_insert(now);
        if !self.is_scan_due(now) {
            self.scan_at = Some((now + QUIET).min(began + LONGEST_BURST));
        }
    }

    /// Scans at once, for a caller that waits until all that is found has been examined.
    pub(super) fn wait_for_scan(&mut self, caller: W, now: Instant) {
        self.waiters.push((caller, now));
        self.scan_at = Some(now);
    }

    /// Returns whether to scan now.
    pub(super) fn is_scan_due(&self, now: Instant) -> bool {
        self.scan_at.is_some_and(|at| at <= now)
    }

    /// Returns whether changes matter: the folder is watched, or a caller waits.
    pub(super) fn is_attentive(&self) -> bool {
        self.is_watching || !self.waiters.is_empty()
    }

    /// Replaces the queue by what a scan has found, the most urgent task first.
    pub(super) fn on_scanned(&mut self, tasks: Vec<Task>, now: Instant) {
        let is_running =
            |task: &Task| self.running.iter().any(|(it, _)| (&it.path, it.kind) == (&task.path, task.kind));
        self.queue = tasks.into_iter().rev().filter(|task| !is_running(task)).collect();
        if self.is_scan_due(now) {
            self.burst_began = None;
            self.scan_at = self.is_watching.then_some(now + RESCAN);
        }
    }

    /// Starts the next task if one more may run.
    pub(super) fn start_next(&mut self, now: Instant) -> Option<Task> {
        let n_busy = self.running.iter().filter(|(_, started)| now < *started + USUAL_DURATION).count();
        if n_busy >= MAX_BUSY || self.running.len() >= MAX_RUNNING {
            return None;
        }
        let task = self.queue.pop()?;
        self.running.push((task.clone(), now));
        Some(task)
    }

    /// Removes a task that has ended.
    pub(super) fn on_ended(&mut self, task: &Task) {
        self.running.retain(|(running, _)| running != task);
    }

    /// Removes and returns the callers for which everything has been examined, or who have waited long enough.
    ///
    /// * `has_pending`: whether a file is being written.
    pub(super) fn take_settled(&mut self, has_pending: bool, now: Instant) -> Vec<W> {
        let has_more = has_pending || self.queue.iter().any(|task| task.is_awaited);
        let settled = self.waiters.extract_if(.., |(_, since)| {
            let deadline = *since + LONGEST_WAIT;
            let is_awaited = |(task, started): &(Task, Instant)| task.is_awaited && *started <= deadline;
            !self.running.iter().any(is_awaited) && (now > deadline || !has_more)
        });
        settled.map(|(caller, _)| caller).collect()
    }

    /// Removes and returns all callers that wait.
    pub(super) fn take_waiters(&mut self) -> Vec<W> {
        self.waiters.drain(..).map(|(caller, _)| caller).collect()
    }

    /// Returns when there is something to do without another event.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let tick_at = self.is_attentive().then(|| now + TICK);
        // A queued task may start once fewer than the allowed number are left that do not take long.
        let mut started: Vec<_> = self.running.iter().map(|(_, started)| *started).collect();
        started.sort();
        let may_start = !self.queue.is_empty() && self.running.len() < MAX_RUNNING;
        let start_at = started.iter().rev().nth(MAX_BUSY - 1).filter(|_| may_start).map(|at| *at + USUAL_DURATION);
        [self.scan_at, tick_at, start_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
