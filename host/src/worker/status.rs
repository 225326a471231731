//! The worker's status, as heartbeats report it to the backend.
//!
//! In: updates from every part of the worker. Out: [`Heartbeat`]s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_job::progress::Phase;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shutdown::ShutdownPhase;

/// The state of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// The worker does not fetch jobs yet.
    Starting,
    /// The worker waits for jobs.
    Idle,
    /// The worker runs jobs.
    Busy,
    /// The worker finishes its running jobs and fetches no more.
    Draining,
}

/// For each outcome, the number of attempts that have finished since the worker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counters {
    /// Number of attempts that succeeded.
    pub done: u64,
    /// Number of attempts with a failed result, including entries that are not jobs.
    pub failed: u64,
    /// Number of attempts whose job process died.
    pub crashed: u64,
    /// Number of attempts that lost their claim.
    pub fenced: u64,
}

/// A running job in a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunningJob {
    /// Id of the job, as in its progress events.
    pub job_id: String,
    /// Phase of the job.
    pub phase: Phase,
    /// Part of the attempt that is done, 0 to 100.
    pub percent: f64,
}

/// The body of a heartbeat request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Heartbeat {
    /// Id of the worker, as in its registration.
    worker_id: String,
    /// State of the worker.
    pub(super) state: WorkerState,
    /// Running jobs, sorted by id.
    pub(super) running: Vec<RunningJob>,
    /// Number of finished attempts by outcome since the worker started.
    pub(super) counters: Counters,
    /// Seconds since the worker started.
    pub(super) uptime_s: u64,
}

impl Heartbeat {
    /// Returns the id of the worker that this heartbeat describes.
    pub(super) fn worker_id(&self) -> &str {
        &self.worker_id
    }
}

/// The status that all parts of the worker update. Clones share the same status.
#[derive(Clone)]
pub(super) struct WorkerStatus {
    started: Instant,
    /// The start of the worker, in seconds since 1970.
    pub(super) started_at: f64,
    inner: Arc<Mutex<StatusInner>>,
}

#[derive(Default)]
struct StatusInner {
    /// `None` until the worker fetches jobs.
    shutdown_phase: Option<ShutdownPhase>,
    last_fetch: Option<Instant>,
    running: BTreeMap<String, RunningJob>,
    counters: Counters,
}

impl WorkerStatus {
    /// Creates the status of a worker that starts now.
    pub(super) fn new() -> Self {
        let started_at = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        Self { started: Instant::now(), started_at, inner: Arc::default() }
    }

    /// Sets the phase of the worker's shutdown. The worker is in the state `starting` until the
    /// first call.
    pub(super) fn set_shutdown_phase(&self, phase: ShutdownPhase) {
        self.inner.lock().shutdown_phase = Some(phase);
    }

    /// Records that the worker asks a queue for an entry.
    pub(super) fn note_fetch(&self) {
        self.inner.lock().last_fetch = Some(Instant::now());
    }

    /// Returns the time since the worker last asked a queue for an entry.
    pub(super) fn fetch_age(&self) -> Option<Duration> {
        self.inner.lock().last_fetch.map(|last| last.elapsed())
    }

    /// Sets the progress of a running job.
    pub(super) fn set_progress(&self, job_id: &str, phase: Phase, percent: f64) {
        let job = RunningJob { job_id: job_id.to_owned(), phase, percent };
        self.inner.lock().running.insert(job_id.to_owned(), job);
    }

    /// Removes a job that no longer runs.
    pub(super) fn remove(&self, job_id: &str) {
        self.inner.lock().running.remove(job_id);
    }

    /// Updates the counters.
    pub(super) fn count(&self, add: impl FnOnce(&mut Counters)) {
        add(&mut self.inner.lock().counters);
    }

    /// Returns a heartbeat with the current status.
    pub(super) fn heartbeat(&self, worker_id: &str) -> Heartbeat {
        let inner = self.inner.lock();
        Heartbeat {
            worker_id: worker_id.to_owned(),
            state: inner.state(),
            running: inner.running.values().cloned().collect(),
            counters: inner.counters,
            uptime_s: self.started.elapsed().as_secs(),
        }
    }
}

impl StatusInner {
    fn state(&self) -> WorkerState {
        match self.shutdown_phase {
            None => WorkerState::Starting,
            Some(ShutdownPhase::Running) if self.running.is_empty() => WorkerState::Idle,
            Some(ShutdownPhase::Running) => WorkerState::Busy,
            Some(ShutdownPhase::Draining | ShutdownPhase::Releasing) => WorkerState::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_busy_while_a_job_runs_and_draining_from_the_first_signal() {
        let status = WorkerStatus::new();
        let state = || status.heartbeat("worker").state;
        assert_eq!(state(), WorkerState::Starting);
        status.set_shutdown_phase(ShutdownPhase::Running);
        assert_eq!(state(), WorkerState::Idle);
        status.set_progress("job", Phase::Training, 50.0);
        assert_eq!(state(), WorkerState::Busy);
        status.set_shutdown_phase(ShutdownPhase::Draining);
        assert_eq!(state(), WorkerState::Draining);
        status.remove("job");
        assert_eq!(state(), WorkerState::Draining);
    }
}
