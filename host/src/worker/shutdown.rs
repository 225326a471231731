//! Shutdown by signals: the first signal drains the worker, the second requeues its running jobs.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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

/// Starts a task that advances the phase on each SIGTERM and SIGINT.
///
/// # Errors
/// Returns [`io::Error`] if the signal handlers cannot be installed.
pub(super) fn listen() -> io::Result<watch::Receiver<ShutdownPhase>> {
    let (sender, receiver) = watch::channel(ShutdownPhase::Running);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for phase in [ShutdownPhase::Draining, ShutdownPhase::Releasing] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match phase {
                ShutdownPhase::Releasing => {
                    tracing::warn!("second signal: running jobs are killed and requeued without counting an attempt");
                }
                _ => tracing::info!(
                    "draining: no more jobs are fetched, running jobs finish; a second signal requeues them"
                ),
            }
            sender.send_replace(phase);
        }
        // The task keeps the channel open until all receivers are dropped, so no receiver sees it
        // closed.
        sender.closed().await;
    });
    Ok(receiver)
}

/// Waits until the shutdown has reached `phase`.
pub(super) async fn reached(shutdown: &mut watch::Receiver<ShutdownPhase>, phase: ShutdownPhase) {
    // An error means that the task which receives signals has ended, so no further phase is
    // reached.
    if shutdown.wait_for(|current| *current >= phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}
