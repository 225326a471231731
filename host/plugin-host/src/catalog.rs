//! The plugins of a folder: published, examined, exchanged and rolled back while jobs run.
//!
//! In: files that any user may put there at any time, and how jobs fared with them. Out: a [`Snapshot`] of the active
//! plugins, exchanged as a whole. Invariants: no library is opened in this process; the active content has been examined
//! as exactly these bytes; a job keeps the snapshot that it began with; a content that fails leaves the generation before
//! it active.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tokio::sync::watch as tokio_watch;

use crate::config::PluginsConfig;
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
mod roll_back_error;
mod schedule;
pub mod snapshot;
mod status;
mod watch;

use journal_file::JournalFile;
use message::{Message, ReplySender};
use owner::Owner;
use quarantine::RollBack;
use snapshot::Snapshot;
use status::Knowledge;

/// The plugins of one folder: a handle to the thread that owns their state. Dropping it ends the thread.
pub struct Catalog {
    dir: PathBuf,
    messages: Sender<Message>,
    snapshots: tokio_watch::Receiver<Arc<Snapshot>>,
    owner: Option<JoinHandle<()>>,
    /// Holds the store and the journal where the configured folder cannot.
    _temporary: Option<tempfile::TempDir>,
}

impl Catalog {
    /// Opens store and journal; the folder is not scanned yet. If the configured state folder cannot hold them, a temporary
    /// one does, and a restart examines everything again.
    ///
    /// # Errors
    /// If neither folder can hold them, or no thread can be started.
    pub fn open(config: &PluginsConfig) -> Result<Arc<Self>> {
        let mut temporary = None;
        let (store, mut journal) = match open_state(&config.state_dir) {
            Ok(opened) => opened,
            Err(error) => {
                let folder = config.state_dir.display();
                tracing::warn!(
                    "the state of plugins cannot be kept in `{folder}` ({error}), so a restart begins without it; set \
                     PLUGINS_STATE_DIR"
                );
                let folder = tempfile::tempdir().context("no temporary folder for copies of the plugins")?;
                let folder = temporary.insert(folder);
                open_state(folder.path()).context("a temporary folder for copies of the plugins")?
            }
        };
        let known = journal.current();
        store.sweep(|sha256| known.refers_to(sha256));
        let (messages, received) = channel();
        let (published, snapshots) = tokio_watch::channel(Arc::default());
        let known = Knowledge::new(config.clone(), store, known);
        let owner = Owner::new(known, journal, messages.clone(), published);
        let owner = std::thread::Builder::new().name("plugins".to_owned()).spawn(move || owner.run(&received));
        let owner = Some(owner.context("no thread for the plugins")?);
        Ok(Arc::new(Self { dir: config.dir.clone(), messages, snapshots, owner, _temporary: temporary }))
    }

    /// Returns the folder of plugins.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// Returns the present snapshot.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Returns a receiver of all further snapshots.
    pub fn subscribe(&self) -> tokio_watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Scans the folder, and waits until everything new in it is examined.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn scan_to_end(&self) -> Result<()> {
        self.request(Message::Scan)
    }

    /// Scans the folder from now on when something changes in it, and every ten seconds. Examines once more, in the
    /// background, what is active by a verdict of the journal: devices of this machine may have changed since.
    pub fn watch(&self) {
        self.send(Message::Watch);
    }

    /// Counts a job for the plugins that it used, and waits for the snapshot that follows from it. A generation that
    /// crashes in its first jobs is withdrawn.
    pub fn record_usage(&self, plugins: &[PluginHealth]) {
        if let Err(error) = self.request(|reply| Message::JobEnded(plugins.to_vec(), reply)) {
            tracing::warn!("how plugins fared cannot be kept: {error:#}");
        }
    }

    /// Makes an earlier content of a plugin active, withdraws the present one, and returns the snapshot that follows.
    ///
    /// * `to`: beginning of a hash; the last other content if `None`.
    ///
    /// # Errors
    /// Without such a plugin or content, or if it may not be active.
    pub fn roll_back(&self, id: &str, to: Option<&str>) -> Result<Arc<Snapshot>> {
        let known = self.request(Message::GetKnowledge)?;
        let roll_back = RollBack::plan(&known, &self.current(), id, to)?;
        self.request(|reply| Message::RollBack(roll_back, reply))?;
        Ok(self.current())
    }

    /// Returns a content that may be active and is, or was, a generation of some file.
    pub fn find(&self, sha256: &str) -> Option<InstalledPlugin> {
        self.request(Message::GetKnowledge).ok()?.find(sha256)
    }

    /// Sends a message, and waits for its reply.
    fn request<T>(&self, message: impl FnOnce(ReplySender<T>) -> Message) -> Result<T> {
        let (reply, replies) = channel();
        self.send(message(reply));
        replies.recv().context("the thread that owns the plugins has ended")?
    }

    fn send(&self, message: Message) {
        // If the owner has ended, the reply has no sender, which is how a caller notices.
        let _ = self.messages.send(message);
    }
}

fn open_state(folder: &Path) -> io::Result<(Store, JournalFile)> {
    let store = Store::within(folder)?;
    let journal = JournalFile::open(folder)?;
    Ok((store, journal))
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.send(Message::Close);
        let _ = self.owner.take().map(JoinHandle::join);
    }
}
