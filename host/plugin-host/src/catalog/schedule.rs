//! Decides when the folder is scanned and which examinations run, without threads, file access or a
//! clock.
//!
//! In: events, each with the time at which it occurred. Out: the next task, the next time to wake
//! up, and the callers to reply to. Invariants: at most [`MAX_RUNNING`] tasks run. A slow task does
//! not delay other tasks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::file_id::FileId;

/// The maximum number of concurrent tasks, slow ones included.
const MAX_RUNNING: usize = 64;
/// The maximum number of concurrent tasks that are not slow.
const MAX_BUSY: usize = 4;
/// A task that runs longer than this is slow. It hangs or waits and hardly uses the processor, so
/// another task may start.
const SLOW_AFTER: Duration = Duration::from_secs(1);
/// A burst of file-system events ends when no event has occurred for this long.
const BURST_QUIET_TIME: Duration = Duration::from_millis(150);
/// The longest time by which a burst may delay a scan. Without this limit, a program that writes
/// continuously would delay the scan forever.
const LONGEST_BURST: Duration = Duration::from_millis(600);
/// Interval between two scans of a watched folder. Events are only hints: network file systems do
/// not send them.
const RESCAN_INTERVAL: Duration = Duration::from_secs(10);
/// Interval between two checks for changes that cause no event, such as a change of the journal.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// The longest time that a caller waits for files that are being written or are still queued. It
/// exceeds the time after which an incomplete file is treated as damaged, so that the caller learns
/// of the damage.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// An examination to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) path: PathBuf,
    /// Id of the published file when the task was queued.
    pub(super) file_id: FileId,
    pub(super) kind: TaskKind,
    /// True if callers wait for the task. It is false for the retry of an examination that had no
    /// result, because a retry must not delay a restart.
    pub(super) is_awaited: bool,
}

/// The subject of an examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    /// The current bytes of a published file.
    File,
    /// The active generation of a file, which this build of the host has not examined yet or must
    /// examine again.
    Active,
}

/// The queued and running tasks, and the time of the next scan.
///
/// * `W`: a caller that waits until a scan and its examinations have finished.
#[derive(Debug)]
pub(super) struct Schedule<W> {
    /// Tasks to start; the most urgent one is last, where `pop` takes it.
    queue: Vec<Task>,
    /// Running tasks with their start times.
    running: Vec<(Task, Instant)>,
    /// Waiting callers with the times of their requests.
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

    /// Schedules a scan now and regular scans from now on.
    pub(super) fn watch(&mut self, now: Instant) {
        self.is_watching = true;
        self.scan_at = Some(now);
    }

    /// Returns whether the folder is watched.
    pub(super) fn is_watching(&self) -> bool {
        self.is_watching
    }

    /// Schedules a scan for the end of the burst to which this event belongs.
    pub(super) fn on_path_changed(&mut self, now: Instant) {
        let began = *self.burst_began.get_or_insert(now);
        // A scan that is already due must not be postponed.
        if !self.is_scan_due(now) {
            self.scan_at = Some((now + BURST_QUIET_TIME).min(began + LONGEST_BURST));
        }
    }

    /// Schedules a scan now, for a caller that waits until every file found has been examined.
    pub(super) fn wait_for_scan(&mut self, caller: W, now: Instant) {
        self.waiters.push((caller, now));
        self.scan_at = Some(now);
    }

    /// Returns whether a scan is due.
    pub(super) fn is_scan_due(&self, now: Instant) -> bool {
        self.scan_at.is_some_and(|at| at <= now)
    }

    /// Returns whether changes must be detected: the folder is watched, or a caller waits.
    pub(super) fn must_detect_changes(&self) -> bool {
        self.is_watching || !self.waiters.is_empty()
    }

    /// Replaces the queue with the tasks that a scan found. The most urgent task is the first of
    /// `tasks`.
    pub(super) fn on_scanned(&mut self, tasks: Vec<Task>, now: Instant) {
        let is_running = |task: &Task| {
            self.running.iter().any(|(running, _)| (&running.path, running.kind) == (&task.path, task.kind))
        };
        self.queue = tasks.into_iter().rev().filter(|task| !is_running(task)).collect();
        // If the snapshot is refreshed between two scans, the next scan stays scheduled.
        if self.is_scan_due(now) {
            self.burst_began = None;
            self.scan_at = self.is_watching.then_some(now + RESCAN_INTERVAL);
        }
    }

    /// Starts and returns the next task, if one more may run.
    pub(super) fn start_next(&mut self, now: Instant) -> Option<Task> {
        let n_busy = self.running.iter().filter(|(_, started)| now < *started + SLOW_AFTER).count();
        if n_busy >= MAX_BUSY || self.running.len() >= MAX_RUNNING {
            return None;
        }
        let task = self.queue.pop()?;
        self.running.push((task.clone(), now));
        Some(task)
    }

    /// Removes a task that has finished.
    pub(super) fn on_finished(&mut self, task: &Task) {
        self.running.retain(|(running, _)| running != task);
    }

    /// Removes and returns the callers that need not wait any longer: everything that they wait for
    /// has been examined, or their wait has timed out.
    ///
    /// * `has_pending`: whether a file is being written.
    pub(super) fn take_finished_waiters(&mut self, has_pending: bool, now: Instant) -> Vec<W> {
        let has_more = has_pending || self.queue.iter().any(|task| task.is_awaited);
        let settled = self.waiters.extract_if(.., |(_, since)| {
            let deadline = *since + LONGEST_WAIT;
            // A task that started before the deadline has its own time limit, so the caller waits
            // for its result even beyond the deadline.
            let is_awaited = |(task, started): &(Task, Instant)| task.is_awaited && *started <= deadline;
            !self.running.iter().any(is_awaited) && (now > deadline || !has_more)
        });
        settled.map(|(caller, _)| caller).collect()
    }

    /// Removes and returns all waiting callers.
    pub(super) fn take_waiters(&mut self) -> Vec<W> {
        self.waiters.drain(..).map(|(caller, _)| caller).collect()
    }

    /// Returns the earliest time at which a scan, a check or a queued task is due if no other event
    /// occurs.
    pub(super) fn next_wake_up(&self, now: Instant) -> Option<Instant> {
        let check_at = self.must_detect_changes().then(|| now + CHECK_INTERVAL);
        // A queued task may start when the `MAX_BUSY`-th youngest running task becomes slow. Until
        // then, `MAX_BUSY` running tasks are not slow, which is the maximum.
        let mut started: Vec<_> = self.running.iter().map(|(_, started)| *started).collect();
        started.sort();
        let may_start = !self.queue.is_empty() && self.running.len() < MAX_RUNNING;
        let start_at = started.iter().rev().nth(MAX_BUSY - 1).filter(|_| may_start).map(|at| *at + SLOW_AFTER);
        [self.scan_at, check_at, start_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
