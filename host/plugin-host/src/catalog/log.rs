//! Logs each change of the catalog's snapshot once.

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::snapshot::{FileEntry, Snapshot};
use crate::selection;

/// Logs the first snapshot and every later change, until the catalog is dropped.
pub async fn run(mut snapshots: Receiver<Arc<Snapshot>>) {
    let mut before: Arc<Snapshot> = Arc::default();
    loop {
        let after = Arc::clone(&snapshots.borrow_and_update());
        log_changes(&before, &after);
        before = after;
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

fn log_changes(before: &Snapshot, after: &Snapshot) {
    for entry in &after.entries {
        let earlier = before.entries.iter().find(|earlier| earlier.path == entry.path);
        if earlier.and_then(active) != active(entry) {
            log_active(entry);
        }
        if earlier.and_then(|earlier| earlier.state.reason()) != entry.state.reason() {
            log_inactive(entry);
        }
    }
    let logged = selection::conflicts(&before.plugins());
    for conflict in selection::conflicts(&after.plugins()).iter().filter(|conflict| !logged.contains(conflict)) {
        tracing::warn!("{conflict}");
    }
    let is_removed = |earlier: &&FileEntry| after.entries.iter().all(|entry| entry.path != earlier.path);
    for removed in before.entries.iter().filter(is_removed) {
        tracing::info!(library = %removed.path.display(), "plugin was removed from the folder");
    }
}

fn active(entry: &FileEntry) -> Option<(u32, &str)> {
    entry.plugin.as_ref().map(|plugin| (plugin.generation, plugin.sha256.as_str()))
}

fn log_active(entry: &FileEntry) {
    let Some(plugin) = &entry.plugin else { return };
    tracing::info!(
        id = plugin.manifest.id,
        version = plugin.manifest.version,
        generation = plugin.generation,
        sha256 = plugin.sha256,
        "plugin is active"
    );
}

fn log_inactive(entry: &FileEntry) {
    let Some(reason) = entry.state.reason() else { return };
    let library = entry.path.display();
    // A log event is one line, but a reason may have three lines.
    let reason = reason.replace('\n', "; ");
    match &entry.plugin {
        None => tracing::warn!(%library, "plugin is not active: {reason}"),
        Some(plugin) => {
            tracing::warn!(
                %library,
                id = plugin.manifest.id,
                generation = plugin.generation,
                "new build of the plugin is not active, the previous generation stays active: {reason}"
            );
        }
    }
}
