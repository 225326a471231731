//! Looks at the folder of plugins when something happens in it, and every so often besides.
//!
//! The system's word is only a hint, which network folders do not give; the stamps of the files decide. Writing comes in
//! bursts: a burst is let end before anything is read.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak, mpsc};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::Catalog;
use crate::discover;

/// Without a further event for so long, a burst is over.
const QUIET: Duration = Duration::from_millis(150);
/// A burst is not waited for longer.
const LONGEST_BURST: Duration = Duration::from_millis(600);
/// Between two looks at the journal, which another process may write, and at files that are being written.
const TICK: Duration = Duration::from_millis(500);
/// Between two looks at everything.
const RESCAN: Duration = Duration::from_secs(10);

/// Watches on a thread of its own, as long as the catalog is in use.
///
/// # Errors
/// When there is no thread.
pub fn watch(catalog: &Arc<Catalog>) -> std::io::Result<()> {
    let (sender, events) = mpsc::channel();
    let catalog = Arc::downgrade(catalog);
    std::thread::Builder::new().name("plugins".to_owned()).spawn(move || {
        let tell = move |event: notify::Result<Event>| _ = is_change(&event).then(|| sender.send(()));
        let watcher = notify::recommended_watcher(tell);
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!("the system does not tell of changes ({error}): plugins are looked at every 10 s only");
        });
        let mut watched = Watched { watcher: watcher.ok(), folders: BTreeSet::new() };
        let mut scanned_at = Instant::now();
        watched.follow(&catalog);
        while let Some(is_due) = wait(&events, &catalog, scanned_at) {
            let Some(catalog) = catalog.upgrade().filter(|_| is_due) else { continue };
            scanned_at = Instant::now();
            if let Err(error) = catalog.scan() {
                tracing::warn!("{error:#}; what served still does");
            }
            watched.follow(&Arc::downgrade(&catalog));
        }
    })?;
    Ok(())
}

/// Whether an event may mean another content; that somebody reads a file does not.
fn is_change(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(Event { kind: EventKind::Access(AccessKind::Close(AccessMode::Write)), .. }) => true,
        Ok(Event { kind: EventKind::Access(_), .. }) => false,
        // Events that were lost.
        Ok(_) | Err(_) => true,
    }
}

/// Waits for something, and says whether the folder is to be looked at; `None` when the catalog is no longer in use.
fn wait(events: &mpsc::Receiver<()>, catalog: &Weak<Catalog>, scanned_at: Instant) -> Option<bool> {
    match events.recv_timeout(TICK) {
        Ok(()) => {
            let began = Instant::now();
            while began.elapsed() < LONGEST_BURST && events.recv_timeout(QUIET).is_ok() {}
            Some(true)
        }
        Err(ended) => {
            // Without a watcher nobody sends.
            if ended == mpsc::RecvTimeoutError::Disconnected {
                std::thread::sleep(TICK);
            }
            let catalog = catalog.upgrade()?;
            Some(scanned_at.elapsed() >= RESCAN || catalog.is_another_look_due())
        }
    }
}

/// The folders that the system watches for us, each by path and inode: one made anew under its name is another.
struct Watched {
    watcher: Option<notify::RecommendedWatcher>,
    folders: BTreeSet<(PathBuf, u64)>,
}

impl Watched {
    /// Watches the folders that are there now.
    fn follow(&mut self, catalog: &Weak<Catalog>) {
        let (Some(watcher), Some(catalog)) = (&mut self.watcher, catalog.upgrade()) else { return };
        let there = discover::folders(catalog.folder()).unwrap_or_default().into_iter();
        let there = there.filter_map(|folder| std::fs::metadata(&folder).ok().map(|it| (folder, it.ino())));
        let there: BTreeSet<_> = there.collect();
        self.folders.retain(|folder| there.contains(folder));
        for folder in there {
            if !self.folders.contains(&folder) && watcher.watch(&folder.0, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
        }
    }
}
