//! File-system events of the plugins folder, as hints that it has changed.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use crate::discover;

/// The folders that the system watches, each by path and inode: a folder made again under the same name is another one.
pub(super) struct FolderWatcher {
    watcher: notify::RecommendedWatcher,
    folders: BTreeSet<(PathBuf, u64)>,
}

impl FolderWatcher {
    /// Creates a watcher of no folder yet; it calls `on_change` from a thread of its own.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn new(on_change: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let on_event = move |event: notify::Result<Event>| {
            if is_change(&event) {
                on_change();
            }
        };
        Ok(Self { watcher: notify::recommended_watcher(on_event)?, folders: BTreeSet::new() })
    }

    /// Watches the folder and the folders of plugins that are in it now. Call it before a scan, so that no change is
    /// missed in between.
    pub(super) fn follow(&mut self, folder: &Path) {
        let found = discover::folders(folder).unwrap_or_default().into_iter();
        let found = found.filter_map(|folder| std::fs::metadata(&folder).ok().map(|it| (folder, it.ino())));
        let found: BTreeSet<_> = found.collect();
        self.folders.retain(|folder| found.contains(folder));
        for folder in found {
            let is_new = !self.folders.contains(&folder);
            if is_new && self.watcher.watch(&folder.0, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
        }
    }
}

/// Returns whether an event may mean another content. A file that is only read does not.
fn is_change(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(Event { kind: EventKind::Access(AccessKind::Close(AccessMode::Write)), .. }) => true,
        Ok(Event { kind: EventKind::Access(_), .. }) => false,
        // After an error, events may have been lost.
        Ok(_) | Err(_) => true,
    }
}
