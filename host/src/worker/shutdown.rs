//! How the worker is asked to end: the first signal drains, the second gives its jobs back.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How far the end has come; only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownPhase {
    /// Jobs are taken.
    Running,
    /// No job is taken; those that run are finished.
    Draining,
    /// Jobs that run are given back to the queue, uncounted.
    Releasing,
}

/// Listens for SIGTERM and SIGINT.
///
/// # Errors
/// The system's, when it lets nobody listen.
pub fn listen() -> io::Result<watch::Receiver<ShutdownPhase>> {
    let (sender, receiver) = watch::channel(ShutdownPhase::Running);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for stage in [ShutdownPhase::Draining, ShutdownPhase::Releasing] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match stage {
                ShutdownPhase::Releasing => tracing::warn!("second signal: running jobs go back to the queue"),
                _ => tracing::info!("asked to end: finishing the running jobs; a second signal gives them back"),
            }
            sender.send_replace(stage);
        }
        // Whoever waits for a further stage waits for ever.
        sender.closed().await;
    });
    Ok(receiver)
}

/// Returns once that stage is reached.
pub async fn reached(stages: &mut watch::Receiver<ShutdownPhase>, stage: ShutdownPhase) {
    if stages.wait_for(|now| *now >= stage).await.is_err() {
        std::future::pending::<()>().await;
    }
}
