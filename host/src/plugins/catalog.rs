//! The plugins of a folder, as they are published, examined, exchanged and taken back while jobs run.
//!
//! In: files that anybody may put there at any time, and how jobs fared with them. Out: a [`Snapshot`] of what serves,
//! exchanged whole. Invariants: nothing is opened in this process; what serves has been examined as these very bytes;
//! a job keeps the snapshot that it began with; what fails leaves in service what served before.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use oculus_plugin_api::Manifest;
use tokio::sync::watch as channel;

use crate::config::PluginsConfig;
use crate::plugins::InstalledPlugin;
use crate::plugins::probe::{Subject, Unfit, probe};
use crate::plugins::stamp::Stamp;
use crate::plugins::store::Store;
use crate::plugins::trust::Trusted;
use crate::plugins::usage::Use;
use crate::plugins::{discover, format};

pub mod announce;
pub mod generations;
pub mod journal;
pub mod snapshot;
mod turns;
pub mod watch;

use generations::{Content, Generation};
use journal::{Journal, JournalFile, Seen, Verdict};
use snapshot::{Entry, Snapshot, State};
use turns::Turns;

/// Libraries that are examined side by side.
const EXAMINED_AT_ONCE: usize = 4;
/// What takes longer no longer counts as one of them: it hangs, or waits for something.
const USUAL_EXAMINATION: Duration = Duration::from_secs(1);
/// A damaged file that was written within this time may still be on its way.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// When a file that the machine failed is tried again: at first, and at last.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

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
    waiting: Mutex<BTreeMap<PathBuf, Waiting>>,
    /// Files that a thread is busy with.
    at_work: Mutex<HashSet<PathBuf>>,
    turns: Turns,
    snapshot: channel::Sender<Arc<Snapshot>>,
}

/// Why a file does not serve for now, and when it is looked at again.
#[derive(Clone, Debug)]
struct Waiting {
    stamp: Option<Stamp>,
    state: State,
    n_tries: u32,
    again_at: Instant,
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
        Ok(Arc::new(Self {
            config: config.clone(),
            host: build_of_host(),
            store,
            journal,
            _temporary: temporary,
            trusted: Mutex::new((Trusted::All, Vec::new())),
            waiting: Mutex::default(),
            at_work: Mutex::default(),
            turns: Turns::of(EXAMINED_AT_ONCE, USUAL_EXAMINATION),
            snapshot: channel::Sender::new(Arc::default()),
        }))
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
            if !self.is_anything_pending() || began.elapsed() > 2 * SETTLED_AFTER {
                return Ok(());
            }
            std::thread::sleep(SETTLED_AFTER / 20);
        }
    }

    /// Looks at the folder. What is known serves at once; what is new is examined by threads of its own.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan(self: &Arc<Self>) -> Result<Vec<JoinHandle<()>>> {
        let files = discover::libraries(&self.config.dir)?;
        self.read_trust();
        let journal = self.journal.current();
        lock(&self.waiting).retain(|path, _| files.contains(path));
        let (known, unknown): (Vec<_>, Vec<_>) =
            files.into_iter().filter(|path| !self.waits(path)).partition(|path| self.is_known(path, &journal));
        // Another process may have found out about a file that this one was to look at again.
        lock(&self.waiting).retain(|path, _| !known.contains(path));
        let begun = unknown.into_iter().filter(|path| lock(&self.at_work).insert(path.clone()));
        let threads = begun.filter_map(|path| self.examine_aside(path)).collect();
        self.publish();
        Ok(threads)
    }

    /// Counts a job for the plugins that it used; a generation whose first jobs lose its process is taken back.
    pub fn judge(&self, uses: &[Use]) {
        let Ok(files) = discover::libraries(&self.config.dir) else { return };
        let now = now();
        let changed = self.journal.update(|journal| {
            for Use { sha256, died } in uses {
                for path in &files {
                    journal.judge(path, sha256, *died, &now);
                }
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
        let snapshot = self.current();
        let has_id = |entry: &&Entry| entry.plugin.as_ref().is_some_and(|plugin| plugin.manifest.id == id);
        let paths: Vec<_> = snapshot.entries.iter().filter(has_id).map(|entry| entry.path.clone()).collect();
        let [path] = paths.as_slice() else {
            let ids: Vec<_> = snapshot.plugins().into_iter().map(|plugin| plugin.manifest.id).collect();
            match paths.len() {
                0 => bail!("no plugin `{id}` serves from {}; there are: {}", self.folder().display(), ids.join(", ")),
                n => bail!("{n} files serve as `{id}`; remove all but one: {paths:?}"),
            }
        };
        let now = now();
        let changed = self.journal.update(|journal| journal.roll_back(path, to, &now))?;
        changed.map_err(|reason| anyhow::anyhow!("`{id}` is not rolled back: {reason}"))?;
        self.publish();
        Ok(self.current())
    }

    /// A content that has served and may serve, also one that was published over since.
    pub fn kept(&self, sha256: &str) -> Option<InstalledPlugin> {
        let journal = self.journal.current();
        let manifest = journal.manifest(sha256, &self.host).filter(|_| self.allows(sha256))?;
        let (source, generation) = journal.slots.iter().find_map(|(path, slot)| {
            let mut all = slot.generations.all().iter().rev();
            Some((path, all.find(|generation| generation.sha256 == sha256)?))
        })?;
        let path = self.store.path(sha256, source);
        path.is_file().then(|| installed(source, path, (generation, journal.copy(sha256)), manifest))
    }

    /// Asks everything that serves once more who it is: devices of this machine may have come or gone since.
    pub fn refresh(self: &Arc<Self>) {
        for entry in &self.current().entries {
            let Some(plugin) = entry.plugin.clone() else { continue };
            let catalog = Arc::clone(self);
            std::thread::spawn(move || {
                let _turn = catalog.turns.take();
                catalog.ask_again(&plugin);
            });
        }
    }

    fn ask_again(&self, plugin: &InstalledPlugin) {
        let asked = probe(&self.subject(&plugin.path, &plugin.sha256, &plugin.library_dirs));
        let verdict = match asked {
            Ok(manifest) if manifest == plugin.manifest => return,
            Ok(manifest) => Some(self.passed(manifest, plugin.stamp)),
            // It has served, so the machine has changed; it is examined as if it were new.
            Err(unfit) if unfit.may_pass => {
                self.wait(&plugin.source, Stamp::of(&plugin.source).ok(), State::Refused { reason: unfit.reason });
                None
            }
            Err(unfit) => {
                let id = &plugin.manifest.id;
                tracing::warn!(id, "the plugin passed an earlier examination and fails now: {}", unfit.reason);
                return;
            }
        };
        let changed = self.journal.update(|journal| match verdict {
            Some(verdict) => _ = journal.verdicts.insert(plugin.sha256.clone(), verdict),
            None => _ = journal.verdicts.remove(&plugin.sha256),
        });
        match changed {
            Ok(()) => self.publish(),
            Err(error) => tracing::warn!("the journal of plugins cannot be written: {error}"),
        }
    }

    /// Whether it is too early to look at a file again.
    fn waits(&self, path: &Path) -> bool {
        let stamp = Stamp::of(path).ok();
        let waits = |waiting: &Waiting| waiting.stamp == stamp && Instant::now() < waiting.again_at;
        lock(&self.waiting).get(path).is_some_and(waits)
    }

    /// Whether there is nothing to find out about a file.
    fn is_known(&self, path: &Path, journal: &Journal) -> bool {
        let Ok(stamp) = Stamp::of(path) else { return true };
        let Some(slot) = journal.slots.get(path) else { return false };
        let Some(seen) = slot.seen.as_ref().filter(|seen| seen.stamp == stamp) else { return false };
        if !self.allows(&seen.sha256) {
            return true;
        }
        let is_settled = |sha256: &str| match journal.verdict(sha256, &self.host) {
            Some(Verdict::Passed { .. }) => self.store.path(sha256, path).is_file(),
            Some(Verdict::Failed { .. } | Verdict::Withdrawn { .. }) => true,
            None => false,
        };
        let current = slot.generations.current().map(|generation| generation.sha256.as_str());
        let serves = match journal.manifest(&seen.sha256, &self.host) {
            Some(_) => current.is_some(),
            None => true,
        };
        is_settled(&seen.sha256) && current.is_none_or(is_settled) && serves
    }

    fn examine_aside(self: &Arc<Self>, path: PathBuf) -> Option<JoinHandle<()>> {
        let catalog = Arc::clone(self);
        let name = path.clone();
        let work = move || {
            let _turn = catalog.turns.take();
            // A file that changes meanwhile is looked at again at once.
            while catalog.settle(&path) {}
            lock(&catalog.at_work).remove(&path);
            catalog.publish();
        };
        let spawned = std::thread::Builder::new().name("examination".to_owned()).spawn(work);
        let spawned = spawned.inspect_err(|error| tracing::warn!("no thread to examine `{}`: {error}", name.display()));
        spawned.inspect_err(|_| _ = lock(&self.at_work).remove(&name)).ok()
    }

    /// Finds out about one file; whether it has changed since.
    fn settle(&self, path: &Path) -> bool {
        let stamp = Stamp::of(path).ok();
        match self.examine(path).and_then(|()| self.try_current(path)) {
            Ok(()) => _ = lock(&self.waiting).remove(path),
            Err(state) => self.wait(path, stamp, state),
        }
        self.publish();
        stamp.is_some() && Stamp::of(path).is_ok_and(|now| Some(now) != stamp)
    }

    /// Copies, checks and tries one file, and writes down what came of it.
    ///
    /// # Errors
    /// What it is in for now, where that is no verdict.
    fn examine(&self, path: &Path) -> Result<(), State> {
        let copy = self.store.copy(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::ResourceBusy | std::io::ErrorKind::NotFound => State::Pending,
            _ => State::Refused { reason: format!("cannot be read or copied: {error}") },
        })?;
        let (stamp, sha256) = (copy.stamp, copy.sha256.clone());
        let mut seen = Seen { stamp, sha256: sha256.clone(), library_dirs: Vec::new() };
        let known = self.journal.current().verdict(&sha256, &self.host).cloned();
        if !self.allows(&sha256) || matches!(known, Some(Verdict::Failed { .. } | Verdict::Withdrawn { .. })) {
            return self.note(path, seen, None);
        }
        let unreadable = |error: std::io::Error| State::Refused { reason: format!("cannot be copied: {error}") };
        let checked = format::check(&copy.bytes().map_err(unreadable)?, path);
        seen.library_dirs = match checked {
            Ok(folders) => folders,
            Err(error) if error.may_be_on_its_way() && stamp.is_younger_than(SETTLED_AFTER) => {
                return Err(State::Pending);
            }
            Err(error) => return self.note(path, seen, Some(self.failed(&Unfit::of_library(&error.to_string())))),
        };
        let placed = self.store.place(copy, path).map_err(unreadable)?;
        let verdict = match known {
            Some(Verdict::Passed { manifest, .. }) => self.passed(*manifest, Stamp::of(&placed).ok()),
            _ => self.try_out(&placed, &seen)?,
        };
        self.note(path, seen, Some(verdict))
    }

    /// Tries what serves of a file where another build of the host has examined it.
    fn try_current(&self, path: &Path) -> Result<(), State> {
        let journal = self.journal.current();
        let Some(slot) = journal.slots.get(path) else { return Ok(()) };
        let (Some(current), Some(seen)) = (slot.generations.current(), slot.seen.clone()) else { return Ok(()) };
        if journal.verdict(&current.sha256, &self.host).is_some() || !self.allows(&current.sha256) {
            return Ok(());
        }
        let serving =
            Seen { sha256: current.sha256.clone(), library_dirs: current.library_dirs.clone(), ..seen.clone() };
        let verdict = self.try_out(&self.store.path(&current.sha256, path), &serving)?;
        let written = self.journal.update(|journal| _ = journal.verdicts.insert(serving.sha256.clone(), verdict));
        written.map_err(|error| unwritten(&error))
    }

    fn try_out(&self, library: &Path, seen: &Seen) -> Result<Verdict, State> {
        // Before its process hashes it, so that a change in between shows.
        let copy = Stamp::of(library).ok();
        match probe(&self.subject(library, &seen.sha256, &seen.library_dirs)) {
            Ok(manifest) => Ok(self.passed(manifest, copy)),
            // Another process has found out about the same content meanwhile; its verdict is met at the next look.
            Err(_) if !library.is_file() => Err(State::Pending),
            Err(unfit) if unfit.may_pass => Err(State::Refused { reason: unfit.reason }),
            Err(unfit) => {
                self.store.remove(&seen.sha256);
                Ok(self.failed(&unfit))
            }
        }
    }

    fn passed(&self, manifest: Manifest, copy: Option<Stamp>) -> Verdict {
        Verdict::Passed { host: self.host.clone(), manifest: Box::new(manifest), copy }
    }

    fn failed(&self, unfit: &Unfit) -> Verdict {
        Verdict::Failed { host: self.host.clone(), reason: unfit.reason.clone() }
    }

    fn subject(&self, library: &Path, sha256: &str, library_dirs: &[PathBuf]) -> Subject {
        let name = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (library, sha256, library_dirs) = (library.to_owned(), sha256.to_owned(), library_dirs.to_vec());
        Subject { name, library, sha256, library_dirs, limits: self.config.limits }
    }

    /// Writes down what a file holds and what came of it; a content that passed is its next generation.
    fn note(&self, path: &Path, seen: Seen, verdict: Option<Verdict>) -> Result<(), State> {
        let written = self.journal.update(|journal| {
            let content = match &verdict {
                Some(Verdict::Passed { manifest, .. }) => {
                    let (sha256, library_dirs) = (seen.sha256.clone(), seen.library_dirs.clone());
                    Some(Content { sha256, version: manifest.version.clone(), library_dirs })
                }
                _ => None,
            };
            if let Some(verdict) = verdict {
                journal.verdicts.insert(seen.sha256.clone(), verdict);
            }
            let slot = journal.slots.entry(path.to_owned()).or_default();
            slot.seen = Some(seen);
            if let Some(content) = content {
                slot.generations.publish(content, &now());
            }
        });
        written.map_err(|error| unwritten(&error))
    }

    fn wait(&self, path: &Path, stamp: Option<Stamp>, state: State) {
        let mut waiting = lock(&self.waiting);
        let n_tries = waiting.get(path).filter(|before| before.state == state).map_or(0, |before| before.n_tries + 1);
        let (first, last) = RETRY_AFTER;
        let pause = match state {
            State::Pending => Duration::ZERO,
            _ => last.min(first * 2u32.saturating_pow(n_tries.min(10))),
        };
        let again_at = Instant::now() + pause;
        waiting.insert(path.to_owned(), Waiting { stamp, state, n_tries, again_at });
    }

    /// Whether a file is being written, or the journal or the list of trusted libraries has changed.
    fn is_another_look_due(&self) -> bool {
        self.is_anything_pending()
            || self.journal.has_changed()
            || Trusted::read(&self.config.trust) != *lock(&self.trusted)
    }

    fn is_anything_pending(&self) -> bool {
        lock(&self.waiting).values().any(|waiting| waiting.state == State::Pending)
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

    /// Exchanges the snapshot for what is known now.
    fn publish(&self) {
        let files = discover::libraries(&self.config.dir).unwrap_or_default();
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

    fn entry(&self, path: &Path, journal: &Journal) -> Entry {
        let slot = journal.slots.get(path).cloned().unwrap_or_default();
        let seen = slot.seen.filter(|seen| Stamp::of(path).is_ok_and(|stamp| stamp == seen.stamp));
        let plugin = slot.generations.current().and_then(|current| {
            let library = self.store.path(&current.sha256, path);
            let serves = self.allows(&current.sha256) && library.is_file();
            let manifest = journal.manifest(&current.sha256, &self.host).filter(|_| serves)?;
            Some(installed(path, library, (current, journal.copy(&current.sha256)), manifest))
        });
        let sha256 = seen.map(|seen| seen.sha256);
        let state = self.state(path, sha256.as_deref(), plugin.as_ref(), journal);
        Entry { path: path.to_owned(), sha256, plugin, state, generations: slot.generations }
    }

    fn state(&self, path: &Path, sha256: Option<&str>, plugin: Option<&InstalledPlugin>, journal: &Journal) -> State {
        if let Some(waiting) = lock(&self.waiting).get(path) {
            return waiting.state.clone();
        }
        let Some(sha256) = sha256 else { return State::Pending };
        if !self.allows(sha256) {
            let reason =
                format!("is not listed in PLUGINS_TRUSTED; to trust it, add the line\n{sha256}  {}", path.display());
            return State::Refused { reason };
        }
        match journal.verdict(sha256, &self.host) {
            Some(Verdict::Failed { reason, .. } | Verdict::Withdrawn { reason, .. }) => {
                State::Quarantined { reason: reason.clone() }
            }
            Some(Verdict::Passed { .. }) if plugin.is_some_and(|plugin| plugin.sha256 == sha256) => State::Serves,
            Some(Verdict::Passed { .. }) | None => State::Pending,
        }
    }
}

impl Journal {
    fn may_serve(&self, sha256: &str) -> bool {
        !matches!(self.verdicts.get(sha256), Some(Verdict::Failed { .. } | Verdict::Withdrawn { .. }))
    }

    /// Counts a job for the content of one file, where that still serves.
    fn judge(&mut self, path: &Path, sha256: &str, died: bool, now: &str) {
        let Some(mut slot) = self.slots.get(path).cloned() else { return };
        if slot.generations.current().is_none_or(|current| current.sha256 != sha256) {
            return;
        }
        if let Some(reverted) = slot.generations.judge(died, now, |sha256| self.may_serve(sha256)) {
            tracing::warn!(library = %path.display(), sha256, "{}", reverted.reason);
            self.withdraw(&reverted.sha256, reverted.reason);
        }
        self.slots.insert(path.to_owned(), slot);
    }

    fn roll_back(&mut self, path: &Path, to: Option<&str>, now: &str) -> Result<(), String> {
        let mut slot = self.slots.get(path).cloned().unwrap_or_default();
        let before = slot.generations.current().map(|current| current.sha256.clone()).unwrap_or_default();
        slot.generations.roll_back(to, now, |sha256| self.may_serve(sha256))?;
        let after = slot.generations.current().map(|current| current.sha256.clone()).unwrap_or_default();
        self.withdraw(
            &before,
            format!("rolled back by hand at {now}; publish another build, or roll back to {before}"),
        );
        if let Some(Verdict::Withdrawn { manifest: Some(manifest), .. }) = self.verdicts.get(&after).cloned() {
            // Unknown to any host, so that it is examined anew before it serves.
            self.verdicts.insert(after, Verdict::Passed { host: String::new(), manifest, copy: None });
        }
        self.slots.insert(path.to_owned(), slot);
        Ok(())
    }

    fn withdraw(&mut self, sha256: &str, reason: String) {
        let manifest = match self.verdicts.remove(sha256) {
            Some(Verdict::Passed { manifest, .. }) => Some(manifest),
            Some(Verdict::Withdrawn { manifest, .. }) => manifest,
            Some(Verdict::Failed { .. }) | None => None,
        };
        self.verdicts.insert(sha256.to_owned(), Verdict::Withdrawn { reason, manifest });
    }
}

/// * `served`: the generation, and the stamp of its copy.
fn installed(
    source: &Path,
    path: PathBuf,
    served: (&Generation, Option<Stamp>),
    manifest: &Manifest,
) -> InstalledPlugin {
    let (generation, stamp) = served;
    InstalledPlugin {
        source: source.to_owned(),
        path,
        sha256: generation.sha256.clone(),
        stamp,
        generation: generation.number,
        library_dirs: generation.library_dirs.clone(),
        manifest: manifest.clone(),
    }
}

fn unwritten(error: &std::io::Error) -> State {
    State::Refused { reason: format!("what came of its examination cannot be kept: {error}") }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Version, length and time of this program's file: what is different in another build.
fn build_of_host() -> String {
    let stamp = crate::control::own_executable().and_then(std::fs::metadata).ok();
    let modified =
        stamp.as_ref().and_then(|it| it.modified().ok()).and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let (n_bytes, modified) = (stamp.map_or(0, |it| it.len()), modified.unwrap_or_default().as_nanos());
    format!("{} {n_bytes} {modified}", env!("CARGO_PKG_VERSION"))
}
