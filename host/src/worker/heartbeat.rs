//! The loop that registers the worker with the backend and sends heartbeats.
//!
//! In: the worker's status, plugins and shutdown. Out: requests to the backend. Invariant: if the
//! worker is not registered with the backend, one warning is logged, and the pauses between
//! requests grow until a heartbeat is accepted.

use std::sync::Arc;
use std::time::Duration;

use oculus_plugin_host::catalog::snapshot::Snapshot;
use oculus_system::backoff::Backoff;
use tokio::sync::watch;

use super::backend::{Backend, BackendState};
use super::registration::Registration;
use super::shutdown::{ShutdownPhase, reached};
use super::status::WorkerStatus;

/// The time limit of the final heartbeat: an unavailable backend must not delay the exit.
const FINAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest pause between two requests, unless the interval of heartbeats is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The loop that keeps the worker registered with the backend.
pub(super) struct HeartbeatLoop {
    /// The client that sends the requests.
    pub backend: Arc<Backend>,
    /// The worker's registration; each request adds the active plugins.
    pub registration: Registration,
    /// The status that heartbeats report.
    pub status: WorkerStatus,
    /// The active plugins. When they change, the loop registers the worker again.
    pub plugins: watch::Receiver<Arc<Snapshot>>,
    /// The number of jobs that may run at the same time. When it changes, the loop registers the worker
    /// again.
    pub slots: watch::Receiver<usize>,
    /// The shutdown of the worker. The loop reports the beginning of the shutdown immediately.
    pub shutdown: watch::Receiver<ShutdownPhase>,
}

impl HeartbeatLoop {
    /// Runs the loop until its task is aborted.
    pub(super) async fn run(mut self) {
        let mut plan = RequestPlan::new(self.backend.heartbeat_every());
        loop {
            let state = self.send(plan.next).await;
            let pause = plan.on_response(state);
            // Once the worker drains, `reached` returns immediately, so the loop would run without
            // pauses.
            let is_draining = *self.shutdown.borrow() >= ShutdownPhase::Draining;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = reached(&mut self.shutdown, ShutdownPhase::Draining), if !is_draining => {
                    self.status.set_shutdown_phase(ShutdownPhase::Draining);
                }
                // If the next request is a registration anyway, a change of the plugins must not
                // shorten the pause before it.
                Ok(()) = self.plugins.changed(), if plan.next == BackendRequest::Heartbeat => {
                    plan.next = BackendRequest::Register;
                }
                Ok(()) = self.slots.changed(), if plan.next == BackendRequest::Heartbeat => {
                    plan.next = BackendRequest::Register;
                }
            }
        }
    }

    async fn send(&mut self, request: BackendRequest) -> BackendState {
        match request {
            BackendRequest::Register => {
                // The plugins are marked as seen before the request, so a change during the request
                // leads to another registration.
                let plugins = self.plugins.borrow_and_update().plugins();
                let concurrency = *self.slots.borrow_and_update();
                let registration = self.registration.with_plugins(&plugins).with_concurrency(concurrency);
                self.backend.register(&registration).await
            }
            BackendRequest::Heartbeat => {
                let heartbeat = self.status.heartbeat(&self.registration.worker_id);
                self.backend.send_heartbeat(&heartbeat).await
            }
        }
    }
}

/// Reports the draining state and the final counters before the worker exits.
pub(super) async fn send_final_heartbeat(backend: &Backend, worker_id: &str, status: &WorkerStatus) {
    status.set_shutdown_phase(ShutdownPhase::Draining);
    let heartbeat = status.heartbeat(worker_id);
    let _ = tokio::time::timeout(FINAL_TIMEOUT, backend.send_heartbeat(&heartbeat)).await;
}

/// A request to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackendRequest {
    Register,
    Heartbeat,
}

/// The schedule of requests: which one is next, and after which pause.
struct RequestPlan {
    next: BackendRequest,
    every: Duration,
    backoff: Backoff,
    /// True if the current loss of the registration has been logged.
    is_warned: bool,
}

impl RequestPlan {
    fn new(every: Duration) -> Self {
        let backoff = Backoff::up_to(every.max(LONGEST_PAUSE));
        Self { next: BackendRequest::Register, every, backoff, is_warned: false }
    }

    /// Chooses the next request and returns the pause before it. The first heartbeat follows a
    /// registration immediately.
    ///
    /// Only an accepted heartbeat resets the backoff. Otherwise, a backend that accepts
    /// registrations but does not recognise the worker afterwards would receive requests without a
    /// pause.
    fn on_response(&mut self, state: BackendState) -> Duration {
        match (self.next, state) {
            (BackendRequest::Register, BackendState::Registered) => {
                self.next = BackendRequest::Heartbeat;
                Duration::ZERO
            }
            (BackendRequest::Heartbeat, BackendState::Registered) => {
                self.backoff.reset();
                if std::mem::take(&mut self.is_warned) {
                    tracing::info!("this worker is registered with the backend again");
                }
                self.every
            }
            (_, BackendState::Unregistered) => {
                self.next = BackendRequest::Register;
                if !std::mem::replace(&mut self.is_warned, true) {
                    tracing::warn!("this worker is not registered with the backend; registering again");
                }
                self.backoff.pause()
            }
            (BackendRequest::Register, BackendState::Unavailable) => self.backoff.pause(),
            // The first pauses of a backoff are shorter than the usual interval. Therefore the
            // pause is at least that interval.
            (BackendRequest::Heartbeat, BackendState::Unavailable) => self.backoff.pause().max(self.every),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    #[test]
    fn a_worker_registers_again_until_a_heartbeat_is_accepted() {
        let mut plan = RequestPlan::new(EVERY);
        let mut next_after = |state| {
            let pause = plan.on_response(state);
            (plan.next, pause)
        };
        assert_eq!(next_after(BackendState::Unavailable).0, BackendRequest::Register);
        assert_eq!(next_after(BackendState::Registered), (BackendRequest::Heartbeat, Duration::ZERO));
        assert_eq!(next_after(BackendState::Registered), (BackendRequest::Heartbeat, EVERY));
        assert_eq!(next_after(BackendState::Unregistered).0, BackendRequest::Register);
        assert_eq!(next_after(BackendState::Registered), (BackendRequest::Heartbeat, Duration::ZERO));
    }

    #[test]
    fn heartbeats_to_an_unavailable_backend_are_not_more_frequent_than_usual() {
        let mut plan = RequestPlan::new(EVERY);
        plan.on_response(BackendState::Registered);
        assert_eq!(plan.on_response(BackendState::Unavailable), EVERY);
        assert_eq!(plan.next, BackendRequest::Heartbeat);
    }
}
