//! The plugins of a folder: published, examined, exchanged and rolled back while jobs run.
//!
//! In: files that anybody may put there at any time, and how jobs fared with them. Out: a [`Snapshot`] of the active
//! plugins, exchanged as a whole. Invariants: no library is opened in this process; the active content has been examined
//! as these very bytes; a job keeps the snapshot that it began with; what fails leaves active what was active before.

use std::path::Path;
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
mod schedule;
pub mod snapshot;
mod status;
mod watch;

use journal_file::JournalFile;
use message::{DoneSender, Message};
use owner::Owner;
use quarantine::RollBack;
use snapshot::Snapshot;
use status::Knowledge;

/// The plugins of one folder: a handle to the thread that owns their state. Dropping it ends the thread.
pub struct Catalog {
    config: PluginsConfig,
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
        let open = |folder: &Path| -> std::io::Result<_> {
            let store = Store::within(folder)?;
            Ok((store, JournalFile::open(folder)?))
        };
        let (opened, temporary) = match open(&config.state_dir) {
            Ok(opened) => (opened, None),
            Err(error) => {
                let folder = config.state_dir.display();
                tracing::warn!(
                    "the state of plugins cannot be kept in `{folder}` ({error}), so a restart knows nothing of it; set \
                     PLUGINS_STATE_DIR"
                );
                let temporary = tempfile::tempdir().context("no temporary folder for copies of the plugins")?;
                (open(temporary.path()).context("a temporary folder for copies of the plugins")?, Some(temporary))
            }
        };
        let (store, mut journal) = opened;
        let known = journal.current();
        store.sweep(|sha256| known.refers_to(sha256));
        let (messages, received) = channel();
        let (published, snapshots) = tokio_watch::channel(Arc::default());
        let known = Knowledge::new(config.clone(), store, known);
        let owner = Owner::new(known, journal, messages.clone(), published);
        let owner = std::thread::Builder::new().name("plugins".to_owned()).spawn(move || owner.run(&received));
        let owner = Some(owner.context("no thread for the plugins")?);
        Ok(Arc::new(Self { config: config.clone(), messages, snapshots, owner, _temporary: temporary }))
    }

    /// Returns the folder of plugins.
    pub fn folder(&self) -> &Path {
        &self.config.dir
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
        self.ask(Message::Scan)
    }

    /// Scans the folder from now on when something changes in it, and every ten seconds.
    pub fn watch(&self) {
        self.send(Message::Watch);
    }

    /// Examines once more, in the background, what is active because the journal says so: devices of this machine may have
    /// changed since.
    pub fn confirm_active(&self) {
        self.send(Message::ConfirmActive);
    }

    /// Counts a job for the plugins that it used, and waits for the snapshot that follows from it. A generation that
    /// crashes in its first jobs is withdrawn.
    pub fn record_usage(&self, plugins: &[PluginHealth]) {
        if let Err(error) = self.ask(|reply| Message::JobEnded(plugins.to_vec(), reply)) {
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
        let roll_back = RollBack::plan(&self.known()?, &self.current(), id, to)?;
        self.ask(|reply| Message::RollBack(roll_back, reply))?;
        Ok(self.current())
    }

    /// Returns a content that may be active and is, or was, a generation of some file.
    pub fn find(&self, sha256: &str) -> Option<InstalledPlugin> {
        self.known().ok()?.find(sha256)
    }

    fn known(&self) -> Result<Knowledge> {
        let (reply, answer) = channel();
        self.send(Message::Know(reply));
        answer.recv().context(OWNER_GONE)
    }

    fn ask(&self, message: impl FnOnce(DoneSender) -> Message) -> Result<()> {
        let (reply, answer) = channel();
        self.send(message(reply));
        answer.recv().context(OWNER_GONE)?
    }

    fn send(&self, message: Message) {
        // Without its receiver there is no answer either, which is how a caller notices.
        let _ = self.messages.send(message);
    }
}

const OWNER_GONE: &str = "the thread that owns the plugins has ended";

impl Drop for Catalog {
    fn drop(&mut self) {
        self.send(Message::Close);
        let _ = self.owner.take().map(JoinHandle::join);
    }
}
