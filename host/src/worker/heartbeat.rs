//! What the worker is doing, and telling the backend so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::registration::{Backend, Known, Registration};
use super::shutdown::{ShutdownPhase, reached};
use oculus_job::progress::Phase;
use oculus_plugin_host::catalog::snapshot::Snapshot;
use oculus_system::backoff::Backoff;

/// What the worker does, as the heartbeat tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Not yet taking jobs.
    Starting,
    /// Waiting for jobs.
    Idle,
    /// Running jobs.
    Busy,
    /// Finishing, taking no more.
    Draining,
}

/// How many attempts have ended how, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// With a model.
    pub done: u64,
    /// With a failed result.
    pub failed: u64,
    /// By the death of the job's process.
    pub crashed: u64,
    /// With a result that came too late.
    pub fenced: u64,
}

#[derive(Clone, Debug, Serialize)]
struct RunningJob {
    job_id: String,
    phase: Phase,
    percent: f64,
}

/// One heartbeat.
#[derive(Clone, Debug, Serialize)]
pub struct Heartbeat {
    worker_id: String,
    state: WorkerState,
    running: Vec<RunningJob>,
    counters: Counters,
    uptime_s: u64,
}

impl Heartbeat {
    /// Whose heartbeat this is.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }
}

/// Where the parts of the worker note what they do. Clones share one board.
#[derive(Clone)]
pub struct WorkerStatus {
    started: Instant,
    noted: Arc<Mutex<StatusInner>>,
}

struct StatusInner {
    stage: Option<ShutdownPhase>,
    running: BTreeMap<String, RunningJob>,
    counters: Counters,
}

impl WorkerStatus {
    /// A board that says `starting`.
    pub fn new() -> Self {
        let noted = StatusInner { stage: None, running: BTreeMap::new(), counters: Counters::default() };
        Self { started: Instant::now(), noted: Arc::new(Mutex::new(noted)) }
    }

    /// Jobs are taken from now on, or no longer.
    pub fn set_shutdown_phase(&self, stage: ShutdownPhase) {
        self.lock().stage = Some(stage);
    }

    /// A job has come on.
    pub fn progress(&self, job_id: &str, phase: Phase, percent: f64) {
        let job = RunningJob { job_id: job_id.to_owned(), phase, percent };
        self.lock().running.insert(job_id.to_owned(), job);
    }

    /// A job is over.
    pub fn remove(&self, job_id: &str) {
        self.lock().running.remove(job_id);
    }

    /// Counts an ending.
    pub fn count(&self, add: impl FnOnce(&mut Counters)) {
        add(&mut self.lock().counters);
    }

    /// What to tell at this moment.
    pub fn beat(&self, worker_id: &str) -> Heartbeat {
        let noted = self.lock();
        let state = match (noted.stage, noted.running.is_empty()) {
            (None, _) => WorkerState::Starting,
            (Some(ShutdownPhase::Running), true) => WorkerState::Idle,
            (Some(ShutdownPhase::Running), false) => WorkerState::Busy,
            (Some(ShutdownPhase::Draining | ShutdownPhase::Releasing), _) => WorkerState::Draining,
        };
        Heartbeat {
            worker_id: worker_id.to_owned(),
            state,
            running: noted.running.values().cloned().collect(),
            counters: noted.counters,
            uptime_s: self.started.elapsed().as_secs(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, StatusInner> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for WorkerStatus {
    fn default() -> Self {
        Self::new()
    }
}

/// What serves, and when that changes.
pub type Plugins = watch::Receiver<Arc<Snapshot>>;

/// Registers, then tells the board every so often, and at once when draining begins; registers again whenever the backend
/// does not know this worker or its plugins have changed, in growing pauses until a heartbeat succeeds. Ends with the task
/// that runs it.
///
/// * `told`: what the worker does, its plugins, and its stage.
pub async fn run(
    backend: Arc<Backend>,
    who: Registration,
    told: (WorkerStatus, Plugins, watch::Receiver<ShutdownPhase>),
) {
    let (board, mut plugins, mut stages) = told;
    let every = backend.heartbeat_every();
    let mut backoff = Backoff::up_to(every.max(Duration::from_secs(60)));
    let (mut is_known, mut is_told) = (false, false);
    loop {
        let told = match is_known {
            false => {
                let who = who.with(&plugins.borrow_and_update().plugins());
                backend.register(&who).await
            }
            true => backend.heartbeat(&board.beat(&who.worker_id)).await,
        };
        let pause = match (told, is_known) {
            (Some(Known::Yes), true) => {
                backoff.reset();
                if std::mem::replace(&mut is_told, false) {
                    tracing::info!("the backend knows this worker again");
                }
                every
            }
            (Some(Known::Yes), false) => {
                is_known = true;
                // The first heartbeat follows a registration at once.
                Duration::ZERO
            }
            (Some(Known::No), _) => {
                is_known = false;
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!("the backend does not know this worker: registering again until it does");
                }
                backoff.pause()
            }
            (None, _) => backoff.pause().max(if is_known { every } else { Duration::ZERO }),
        };
        let is_draining = *stages.borrow() >= ShutdownPhase::Draining;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = reached(&mut stages, ShutdownPhase::Draining), if !is_draining => board.set_shutdown_phase(ShutdownPhase::Draining),
            Ok(()) = plugins.changed(), if is_known => is_known = false,
        }
    }
}

/// Tells the backend at the end that this worker drains, and its last counts.
pub async fn send_final_heartbeat(backend: &Backend, worker_id: &str, board: &WorkerStatus) {
    const PATIENCE: Duration = Duration::from_secs(2);
    board.set_shutdown_phase(ShutdownPhase::Draining);
    let _ = tokio::time::timeout(PATIENCE, backend.heartbeat(&board.beat(worker_id))).await;
}
