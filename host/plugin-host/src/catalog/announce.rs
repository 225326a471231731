//! What the log tells of the plugins: each exchange, once.

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::snapshot::{Entry, Snapshot};
use crate::selection;

/// Tells what serves at first, and each change from then on; ends with the task that runs it.
pub async fn run(mut snapshots: Receiver<Arc<Snapshot>>) {
    let mut before: Arc<Snapshot> = Arc::default();
    loop {
        let after = Arc::clone(&snapshots.borrow_and_update());
        changes(&before, &after);
        before = after;
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

fn changes(before: &Snapshot, after: &Snapshot) {
    for entry in &after.entries {
        let earlier = before.entries.iter().find(|earlier| earlier.path == entry.path);
        if earlier.and_then(serving) != serving(entry) {
            serves(entry);
        }
        if earlier.and_then(|earlier| earlier.state.reason()) != entry.state.reason() {
            does_not_serve(entry);
        }
    }
    let (conflicts, known) = (selection::conflicts(&after.plugins()), selection::conflicts(&before.plugins()));
    for conflict in conflicts.iter().filter(|conflict| !known.contains(conflict)) {
        tracing::warn!("{conflict}");
    }
    for gone in before.entries.iter().filter(|gone| after.entries.iter().all(|entry| entry.path != gone.path)) {
        tracing::info!(library = %gone.path.display(), "plugin is gone from the folder");
    }
}

fn serving(entry: &Entry) -> Option<(u32, &str)> {
    entry.plugin.as_ref().map(|plugin| (plugin.generation, plugin.sha256.as_str()))
}

fn serves(entry: &Entry) {
    let Some(plugin) = &entry.plugin else { return };
    let (manifest, generation, sha256) = (&plugin.manifest, plugin.generation, &plugin.sha256);
    tracing::info!(id = manifest.id, version = manifest.version, generation, sha256, "plugin serves");
}

fn does_not_serve(entry: &Entry) {
    let Some(reason) = entry.state.reason() else { return };
    let (library, reason) = (entry.path.display(), reason.replace('\n', "; "));
    match &entry.plugin {
        None => tracing::warn!(%library, "no plugin: {reason}"),
        Some(plugin) => {
            let (id, generation) = (&plugin.manifest.id, plugin.generation);
            tracing::warn!(%library, id, generation, "the file does not serve, the generation before does: {reason}");
        }
    }
}
