//! Shutdown by signals: the first drains the worker, the second requeues its running jobs.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How far a shutdown has come; phases only advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShutdownPhase {
    /// The worker fetches jobs.
    Running,
    /// The worker fetches no jobs and lets running jobs finish.
    Draining,
    /// The worker requeues running jobs; their attempts are not counted.
    Releasing,
}

/// Advances the phase on every SIGTERM and SIGINT.
///
/// # Errors
/// The system does not allow signal handlers.
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
                ShutdownPhase::Releasing => tracing::warn!("second signal: running jobs return to the queue"),
                _ => tracing::info!("draining: running jobs finish; a second signal requeues them"),
            }
            sender.send_replace(phase);
        }
        // Keeps the sender alive: a receiver that waits for a further phase must not see a closed
        // channel.
        sender.closed().await;
    });
    Ok(receiver)
}

/// Returns once the shutdown has reached `phase`.
pub(super) async fn reached(shutdown: &mut watch::Receiver<ShutdownPhase>, phase: ShutdownPhase) {
    if shutdown.wait_for(|current| *current >= phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}
