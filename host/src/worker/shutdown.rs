//! Shutdown: the first signal drains the worker, the second requeues its running jobs.
//!
//! In: signals, requests to drain, and the time limit of a drain. Out: the [`ShutdownPhase`].
//! Invariant: phases only advance.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The phase of a shutdown. Phases only advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShutdownPhase {
    /// The worker fetches jobs.
    Running,
    /// The worker fetches no jobs and lets running jobs finish.
    Draining,
    /// The worker requeues running jobs. Their attempts are not counted.
    Releasing,
}

/// The reason why a shutdown advances.
enum Cause {
    Signal,
    /// An operator has sent a request.
    Request(String),
    /// The running jobs have not finished within the time limit.
    TimeLimit,
}

/// Sends requests to drain this worker.
#[derive(Clone)]
pub(super) struct DrainRequests(mpsc::UnboundedSender<String>);

impl DrainRequests {
    /// Drains the worker in the name of an operator. Does nothing if the worker drains already.
    pub(super) fn send(&self, operator: String) {
        // The receiver is gone only while the process exits.
        let _ = self.0.send(operator);
    }
}

/// Starts a task that advances the phase on each SIGTERM and SIGINT. A request to drain counts as
/// the first signal, and the end of the time limit as the second.
///
/// * `drain_limit`: the longest time for which running jobs may continue after the first signal;
///   `None` for no limit.
///
/// # Errors
/// Returns [`io::Error`] if the signal handlers cannot be installed.
pub(super) fn listen(drain_limit: Option<Duration>) -> io::Result<(watch::Receiver<ShutdownPhase>, DrainRequests)> {
    let (sender, receiver) = watch::channel(ShutdownPhase::Running);
    let (requests, mut requested) = mpsc::unbounded_channel();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut deadline = None;
        for phase in [ShutdownPhase::Draining, ShutdownPhase::Releasing] {
            let is_draining = phase == ShutdownPhase::Releasing;
            let cause = tokio::select! {
                _ = terminate.recv() => Cause::Signal,
                _ = interrupt.recv() => Cause::Signal,
                Some(operator) = requested.recv(), if !is_draining => Cause::Request(operator),
                () = sleep_until(deadline) => Cause::TimeLimit,
            };
            log_advance(phase, &cause, drain_limit);
            deadline = drain_limit.map(|limit| Instant::now() + limit);
            sender.send_replace(phase);
        }
        // The task keeps the channel open until all receivers are dropped, so no receiver sees it
        // closed.
        sender.closed().await;
    });
    Ok((receiver, DrainRequests(requests)))
}

fn log_advance(phase: ShutdownPhase, cause: &Cause, drain_limit: Option<Duration>) {
    let limit = drain_limit.map(|limit| limit.as_secs());
    let operator = match cause {
        Cause::Request(operator) => Some(operator),
        Cause::Signal | Cause::TimeLimit => None,
    };
    match (phase, cause) {
        (ShutdownPhase::Releasing, Cause::TimeLimit) => tracing::warn!(
            drain_seconds = limit,
            "time limit of the drain reached: running jobs are killed and requeued without counting an attempt"
        ),
        (ShutdownPhase::Releasing, _) => {
            tracing::warn!("second signal: running jobs are killed and requeued without counting an attempt");
        }
        _ => tracing::info!(
            operator,
            drain_seconds = limit,
            "draining: no more jobs are fetched, running jobs finish; a second signal requeues them"
        ),
    }
}

/// Waits until the shutdown has reached `phase`.
pub(super) async fn reached(shutdown: &mut watch::Receiver<ShutdownPhase>, phase: ShutdownPhase) {
    // An error means that the task which receives signals has ended, so no further phase is
    // reached.
    if shutdown.wait_for(|current| *current >= phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Sleeps until a time, or forever if it is `None`.
pub(super) async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
