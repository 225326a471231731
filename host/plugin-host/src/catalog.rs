//! Detects, examines, activates and rolls back the plugins of a folder while jobs run.
//!
//! In: libraries, which users publish at any time, and reports that list the plugins that crashed
//! in a job. Out: a [`Snapshot`] of the active plugins. Every change replaces the whole snapshot.
//! Invariants: this process never opens a library. The bytes of an active build are exactly those
//! that were examined. A job keeps the snapshot with which it started. If a build fails, the
//! previous generation stays active.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tokio::sync::watch as tokio_watch;

use crate::config::{PluginsConfig, Trust};
use crate::health::PluginHealth;
use crate::installed::InstalledPlugin;
use crate::store::Store;

mod examine;
pub mod generations;
mod journal;
mod journal_file;
pub mod log;
mod message;
mod owner;
mod quarantine;
mod retry;
mod rollback_error;
mod schedule;
pub mod snapshot;
mod status;
mod watch;

use generations::SkippedBuild;
use journal_file::JournalFile;
use message::{Message, ReplySender};
use owner::Owner;
use quarantine::Rollback;
use snapshot::Snapshot;
use status::CatalogState;

/// A handle to the thread that owns the state of the plugins of one folder. Dropping it stops the
/// thread.
pub struct Catalog {
    dir: PathBuf,
    messages: Sender<Message>,
    snapshots: tokio_watch::Receiver<Arc<Snapshot>>,
    owner: Option<JoinHandle<()>>,
    /// Temporary folder that contains the store and the journal if the configured folder cannot be
    /// used.
    _temporary: Option<tempfile::TempDir>,
}

impl Catalog {
    /// Opens the store and the journal without scanning the folder. If the configured state folder
    /// cannot be used, a temporary one replaces it, and a restart examines everything again.
    ///
    /// # Errors
    /// Returns an error if neither folder can be used or the thread cannot be started.
    pub fn open(config: &PluginsConfig) -> Result<Arc<Self>> {
        let mut temporary = None;
        let (store, mut journal) = match open_state(&config.state_dir) {
            Ok(opened) => opened,
            Err(error) => {
                let folder = config.state_dir.display();
                tracing::warn!(
                    "cannot store the state of plugins in `{folder}` ({error}), so a restart examines every plugin \
                     again; set PLUGINS_STATE_DIR to a writable folder"
                );
                let folder =
                    tempfile::tempdir().context("cannot create a temporary folder for copies of the plugins")?;
                let folder = temporary.insert(folder);
                open_state(folder.path()).context("cannot use the temporary folder for copies of the plugins")?
            }
        };
        let current = journal.current();
        // Unused copies are removed after the journal was opened, because the journal determines
        // which copies are still referenced.
        store.sweep(|sha256| current.refers_to(sha256));
        let (messages, received) = channel();
        let (published, snapshots) = tokio_watch::channel(Arc::default());
        let state = CatalogState::new(config.clone(), store, current);
        let owner = Owner::new(state, journal, messages.clone(), published);
        let owner = std::thread::Builder::new().name("plugins".to_owned()).spawn(move || owner.run(&received));
        let owner = Some(owner.context("cannot start the thread that manages the plugins")?);
        Ok(Arc::new(Self { dir: config.dir.clone(), messages, snapshots, owner, _temporary: temporary }))
    }

    /// Returns the plugins folder.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// Returns the current snapshot.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Returns a receiver of all further snapshots.
    pub fn subscribe(&self) -> tokio_watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Scans the folder and waits until every new file in it has been examined.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read.
    pub fn scan_to_end(&self) -> Result<()> {
        self.request(Message::Scan)
    }

    /// Watches the folder: scans it after every change and every ten seconds. Active builds whose
    /// verdict was read from the journal are examined again in the background, because the devices
    /// of this machine may have changed.
    pub fn watch(&self) {
        self.send(Message::Watch);
    }

    /// Counts one job for each plugin that the job used, and waits for the resulting snapshot. A
    /// generation that crashes too often in its first jobs is withdrawn.
    pub fn record_usage(&self, plugins: &[PluginHealth]) {
        if let Err(error) = self.request(|reply| Message::JobFinished(plugins.to_vec(), reply)) {
            tracing::warn!("cannot record the health of plugins: {error:#}");
        }
    }

    /// Activates an earlier build of a plugin and withdraws the current one. Returns the resulting
    /// snapshot, and the more recent builds that were skipped.
    ///
    /// * `to`: the first digits of a SHA-256; `None` selects the most recent other build that may be
    ///   active and never crashed in a counted job.
    ///
    /// # Errors
    /// Returns an error if no plugin or build matches, or if the build must not be active.
    pub fn roll_back(&self, id: &str, to: Option<&str>) -> Result<(Arc<Snapshot>, Vec<SkippedBuild>)> {
        let state = self.request(Message::GetState)?;
        let mut rollback = Rollback::plan(&state, &self.current(), id, to)?;
        let skipped = std::mem::take(&mut rollback.skipped);
        self.request(|reply| Message::Rollback(rollback, reply))?;
        Ok((self.current(), skipped))
    }

    /// Returns the build with this SHA-256, if it is allowed to be active and is or was a
    /// generation of a file.
    pub fn find(&self, sha256: &str) -> Option<InstalledPlugin> {
        self.request(Message::GetState).ok()?.find(sha256)
    }

    /// Replaces the rule that decides which libraries may be opened. Jobs that run keep their plugins.
    pub fn set_trust(&self, trust: Trust) {
        self.send(Message::SetTrust(trust));
    }

    /// Sends a message and waits for the reply.
    fn request<T>(&self, message: impl FnOnce(ReplySender<T>) -> Message) -> Result<T> {
        let (reply, replies) = channel();
        self.send(message(reply));
        replies.recv().context("the thread that manages the plugins has stopped")?
    }

    fn send(&self, message: Message) {
        // If the owner has stopped, the message and its reply channel are dropped, so `recv` in
        // `request` returns an error. The error of `send` can therefore be ignored.
        let _ = self.messages.send(message);
    }
}

fn open_state(folder: &Path) -> io::Result<(Store, JournalFile)> {
    let store = Store::open(folder)?;
    let journal = JournalFile::open(folder)?;
    Ok((store, journal))
}

impl Drop for Catalog {
    fn drop(&mut self) {
        // The owner stops when it receives this message. The owner's channel never closes while the
        // owner runs, because the owner itself holds one of the channel's senders.
        self.send(Message::Close);
        let _ = self.owner.take().map(JoinHandle::join);
    }
}
