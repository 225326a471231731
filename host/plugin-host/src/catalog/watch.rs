//! Receives file-system events of the plugins folder, as hints that it has changed.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use crate::discover;

/// A watcher of the plugins folder and its subfolders.
pub(super) struct FolderWatcher {
    watcher: notify::RecommendedWatcher,
    /// Watched folders by path and inode. A folder that was removed and created again has another
    /// inode, and the system no longer watches it.
    folders: BTreeSet<(PathBuf, u64)>,
}

impl FolderWatcher {
    /// Creates a watcher that watches no folder yet. It calls `on_change` on its own thread.
    ///
    /// # Errors
    /// Returns [`notify::Error`] if the system cannot provide file-system events.
    pub(super) fn new(on_change: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let on_event = move |event: notify::Result<Event>| {
            if is_change(&event) {
                on_change();
            }
        };
        Ok(Self { watcher: notify::recommended_watcher(on_event)?, folders: BTreeSet::new() })
    }

    /// Watches the folder and its current subfolders. Call this before a scan, so that no change in
    /// between is missed.
    pub(super) fn follow(&mut self, folder: &Path) {
        let found = discover::folders(folder).unwrap_or_default().into_iter();
        let found = found.filter_map(|folder| std::fs::metadata(&folder).ok().map(|metadata| (folder, metadata.ino())));
        let found: BTreeSet<_> = found.collect();
        // The system itself stops watching a removed folder.
        self.folders.retain(|folder| found.contains(folder));
        for folder in found {
            let is_new = !self.folders.contains(&folder);
            if is_new && self.watcher.watch(&folder.0, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
        }
    }
}

/// Returns whether an event may mean that a file has changed. Read events are ignored, because the
/// host's own scans cause them.
fn is_change(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(Event { kind: EventKind::Access(AccessKind::Close(AccessMode::Write)), .. }) => true,
        Ok(Event { kind: EventKind::Access(_), .. }) => false,
        // An error is treated as a change, because events may have been lost before it.
        Ok(_) | Err(_) => true,
    }
}
