//! The plugins of a folder, as they are published, examined, exchanged and taken back while jobs run.
//!
//! In: files that anybody may put there at any time, and how jobs fared with them. Out: a [`Snapshot`] of what serves,
//! exchanged whole. Invariants: nothing is opened in this process; what serves has been examined as these very bytes;
//! a job keeps the snapshot that it began with; what fails leaves in service what served before.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::watch as channel;

use crate::config::PluginsConfig;
use crate::discover;
use crate::stamp::Stamp;
use crate::store::Store;
use crate::trust::Trusted;
use crate::usage::Use;

pub mod announce;
mod examination;
pub mod generations;
pub mod journal;
mod renewal;
pub mod snapshot;
mod turns;
mod view;
mod waiting;
pub mod watch;
mod withdrawal;

use journal::{Journal, JournalFile};
use renewal::Renewal;
use snapshot::{Entry, Snapshot};
use turns::Turns;
use waiting::WaitingRoom;
use withdrawal::Keep;

/// Libraries that are examined side by side.
const EXAMINED_AT_ONCE: usize = 4;
/// Files that a thread is busy with or waits to be; others are begun at later looks, the latest first.
const MOST_AT_WORK: usize = 64;
/// What takes longer no longer counts as one of them: it hangs, or waits for something.
const USUAL_EXAMINATION: Duration = Duration::from_secs(1);
/// A damaged file that was written within this time may still be on its way.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The plugins of one folder.
pub struct Catalog {
    config: PluginsConfig,
    /// The build of this host: another one examines everything anew.
    host: String,
    store: Store,
    journal: JournalFile,
    /// Holds the store and the journal where the configured folder cannot.
    _temporary: Option<tempfile::TempDir>,
    trusted: Mutex<(Trusted, Vec<String>)>,
    /// Files that do not serve for now.
    waiting: WaitingRoom,
    /// Files that a thread is busy with.
    at_work: Mutex<HashSet<PathBuf>>,
    /// SHA-256 of the contents that this process has tried itself, rather than read of.
    tried: Mutex<HashSet<String>>,
    /// Whether there were more files to find out about than may be begun at once.
    has_backlog: AtomicBool,
    turns: Turns,
    /// Exchanges the snapshot when asked.
    renewal: Arc<Renewal>,
    snapshot: channel::Sender<Arc<Snapshot>>,
}

impl Catalog {
    /// Opens store and journal; nothing is looked at yet. Where the configured folder cannot hold them, a temporary one
    /// does, and a restart examines everything anew.
    ///
    /// # Errors
    /// When neither folder can.
    pub fn open(config: &PluginsConfig) -> Result<Arc<Self>> {
        let open = |folder: &Path| -> std::io::Result<_> {
            let store = Store::within(folder)?;
            Ok((store, JournalFile::within(folder)?))
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
        let (store, journal) = opened;
        let known = journal.current();
        store.sweep(|sha256| known.refers_to(sha256));
        let renewal = Arc::new(Renewal::default());
        let catalog = Arc::new(Self {
            config: config.clone(),
            host: build_of_host(),
            store,
            journal,
            _temporary: temporary,
            trusted: Mutex::new((Trusted::All, Vec::new())),
            waiting: WaitingRoom::default(),
            at_work: Mutex::default(),
            tried: Mutex::default(),
            has_backlog: AtomicBool::new(false),
            turns: Turns::of(EXAMINED_AT_ONCE, USUAL_EXAMINATION),
            renewal: Arc::clone(&renewal),
            snapshot: channel::Sender::new(Arc::default()),
        });
        let weak = Arc::downgrade(&catalog);
        let renew = move || weak.upgrade().map(|catalog| catalog.exchange());
        renewal.start(renew).context("no thread for the snapshot of the plugins")?;
        Ok(catalog)
    }

    /// The folder of plugins.
    pub fn folder(&self) -> &Path {
        &self.config.dir
    }

    /// What serves at this moment.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Tells of each exchange.
    pub fn subscribe(&self) -> channel::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// Looks at the folder, and examines what is new in it to the end.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan_to_end(self: &Arc<Self>) -> Result<()> {
        let began = Instant::now();
        loop {
            for examination in self.scan()? {
                // A panic there has been told by its thread.
                let _ = examination.join();
            }
            // A file on its way is waited for as long as it takes to call it damaged.
            let is_over = !self.waiting.is_anything_pending() && !self.has_backlog.load(Ordering::Relaxed);
            if is_over || began.elapsed() > 2 * SETTLED_AFTER {
                self.publish();
                return Ok(());
            }
            std::thread::sleep(SETTLED_AFTER / 20);
        }
    }

    /// Looks at the folder. What is known serves at once; what is new is examined by threads of its own, which are answered
    /// but for those on files that an earlier examination has not come to an end with.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan(self: &Arc<Self>) -> Result<Vec<JoinHandle<()>>> {
        let files = discover::libraries(&self.config.dir)?;
        self.read_trust();
        let journal = self.journal.current();
        self.waiting.retain(|path| files.contains(path));
        let due = files.iter().filter(|path| !self.waiting.is_too_early(path));
        let (known, unknown): (Vec<_>, Vec<_>) = due.cloned().partition(|path| self.is_known(path, &journal));
        // Another process may have found out about a file that this one was to look at again.
        self.waiting.retain(|path| !known.contains(path));
        let n_free = MOST_AT_WORK.saturating_sub(lock(&self.at_work).len());
        let unbegun = unknown.into_iter().filter(|path| !lock(&self.at_work).contains(path)).collect();
        let mut begun = newest_first(unbegun);
        self.has_backlog.store(begun.len() > n_free, Ordering::Relaxed);
        begun.truncate(n_free);
        lock(&self.at_work).extend(begun.iter().cloned());
        let threads = begun.into_iter().filter_map(|path| {
            let slot = journal.slots.get(&path).zip(Stamp::of(&path).ok());
            let is_postponed = slot.is_some_and(|(slot, stamp)| slot.postponed(stamp).is_some());
            self.examine_aside(path).filter(|_| !is_postponed)
        });
        let threads = threads.collect();
        self.publish_soon();
        Ok(threads)
    }

    /// Counts a job for the plugins that it used; a generation that crashes in its first jobs is taken back.
    pub fn judge(&self, uses: &[Use]) {
        let Ok(files) = discover::libraries(&self.config.dir) else { return };
        let now = now();
        let changed = self.journal.update(|journal| {
            for path in &files {
                let keep = Keep { host: &self.host, has_copy: &|sha256| self.store.path(sha256, path).is_file() };
                uses.iter().for_each(|one| journal.judge(path, one, &now, &keep));
            }
        });
        match changed {
            Ok(()) => self.publish(),
            Err(error) => tracing::warn!("how plugins fared cannot be kept: {error}"),
        }
    }

    /// Lets an earlier content of a plugin serve, and withdraws the present one.
    ///
    /// * `to`: the beginning of a hash; the last other content where none is given.
    ///
    /// # Errors
    /// Without such a plugin or content, in words.
    pub fn roll_back(&self, id: &str, to: Option<&str>) -> Result<Arc<Snapshot>> {
        let journal = self.journal.current();
        let path = self.file_of(id, &journal)?;
        let keep = Keep { host: &self.host, has_copy: &|sha256| self.store.path(sha256, &path).is_file() };
        let content =
            journal.earlier(&path, to, &keep).map_err(|reason| anyhow!("`{id}` is not rolled back: {reason}"))?;
        // What serves goes on serving until the other has shown that it can.
        let verdict = self.verdict_on(&path, &content, &journal);
        let verdict = verdict.map_err(|reason| anyhow!("`{id}` is not rolled back: {} {reason}", content.sha256))?;
        let now = now();
        self.journal.update(|journal| {
            journal.record(&content.sha256, verdict);
            journal.roll_back(&path, content, &now);
        })?;
        self.publish();
        Ok(self.current())
    }

    /// The one file that is, or was, the plugin of this id.
    fn file_of(&self, id: &str, journal: &Journal) -> Result<PathBuf> {
        let snapshot = self.current();
        let is_it = |entry: &&Entry| journal.ids(&entry.path).contains(id);
        let paths: Vec<_> = snapshot.entries.iter().filter(is_it).map(|entry| entry.path.clone()).collect();
        match paths.as_slice() {
            [path] => Ok(path.clone()),
            [] => {
                let ids: Vec<_> = snapshot.plugins().into_iter().map(|plugin| plugin.manifest.id).collect();
                bail!("there is no plugin `{id}` in {}; there are: {}", self.folder().display(), ids.join(", "))
            }
            _ => bail!("more than one file is `{id}`; remove all but one of {paths:?}"),
        }
    }

    /// Whether a file is being written, or the journal or the list of trusted libraries has changed.
    fn is_another_look_due(&self) -> bool {
        self.waiting.is_anything_pending()
            || self.has_backlog.load(Ordering::Relaxed)
            || self.journal.has_changed()
            || Trusted::read(&self.config.trust) != *lock(&self.trusted)
    }

    fn allows(&self, sha256: &str) -> bool {
        lock(&self.trusted).0.allows(sha256)
    }

    fn read_trust(&self) {
        let read = Trusted::read(&self.config.trust);
        let mut trusted = lock(&self.trusted);
        if read.1 != trusted.1 {
            read.1.iter().for_each(|problem| tracing::warn!("{problem}"));
        }
        *trusted = read;
    }

    /// Exchanges the snapshot for what is known now, and returns when that is done.
    fn publish(&self) {
        self.renewal.asked_and_done();
    }

    /// The same without waiting: a thousand files are not gone through once for each of them.
    fn publish_soon(&self) {
        self.renewal.ask();
    }

    /// While the folder cannot be read, what serves stays.
    fn exchange(&self) {
        let Ok(files) = discover::libraries(&self.config.dir) else { return };
        self.snapshot.send_if_modified(|snapshot| {
            let journal = self.journal.current();
            let entries = files.iter().map(|path| self.entry(path, &journal)).collect();
            let next = Snapshot { entries };
            let has_changed = **snapshot != next;
            if has_changed {
                *snapshot = Arc::new(next);
            }
            has_changed
        });
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.renewal.close();
    }
}

fn newest_first(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    // When it was put here, which a time of writing that came with it does not say.
    let written = |path: &PathBuf| std::fs::metadata(path).map(|it| (it.ctime(), it.ctime_nsec())).ok();
    paths.sort_by_cached_key(|path| std::cmp::Reverse(written(path)));
    paths
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Version, length and time of this program's file: what is different in another build.
fn build_of_host() -> String {
    let stamp = oculus_system::control::own_executable().and_then(std::fs::metadata).ok();
    let modified =
        stamp.as_ref().and_then(|it| it.modified().ok()).and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let (n_bytes, modified) = (stamp.map_or(0, |it| it.len()), modified.unwrap_or_default().as_nanos());
    format!("{} {n_bytes} {modified}", env!("CARGO_PKG_VERSION"))
}
