//! What is known of libraries, on disk, so that a restart knows it: verdicts by content, generations by published file.
//!
//! One JSON file for all folders and workers of a user. Every change is made under a lock on the file as it is then, and
//! renamed into place whole. Invariant: who reads it finds a state that some change has left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use super::generations::Generations;
use crate::stamp::Stamp;

/// The form of the file; another one is set aside.
const VERSION: u32 = 1;
/// With more verdicts than this, those that nothing refers to are forgotten.
const MOST_VERDICTS: usize = 1000;
/// Builds of the host whose verdicts on one content are kept.
const MOST_HOSTS: usize = 4;
/// How long the lock of another process is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    /// By SHA-256 of the content: of each build of the host that has examined it, the latest last.
    pub verdicts: BTreeMap<String, Vec<Verdict>>,
    /// By the path of the published file.
    pub slots: BTreeMap<PathBuf, Slot>,
}

/// What came of the examination of a content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It may serve.
    Passed {
        /// The build of the host that examined it; another one examines anew.
        host: String,
        /// What it says of itself.
        manifest: Box<Manifest>,
        /// Stamp of the private copy when its bytes were hashed.
        copy: Option<Stamp>,
    },
    /// It failed its examination.
    Failed {
        /// The build of the host that examined it; another one examines anew.
        host: String,
        /// Why, in at most three lines.
        reason: String,
    },
}

impl Verdict {
    /// The build of the host that examined it.
    fn host(&self) -> &str {
        match self {
            Self::Passed { host, .. } | Self::Failed { host, .. } => host,
        }
    }
}

/// One published file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The content that the file had when it was last read, so that it need not be read again.
    pub seen: Option<Seen>,
    /// Why its examination has no verdict yet, where the machine was at fault; tried again, and waited for by nobody.
    #[serde(default)]
    pub postponed: Option<Postponed>,
    /// What serves of it, and what did.
    pub generations: Generations,
    /// Contents that jobs or a person have taken back here, by SHA-256, and why. Elsewhere they may serve.
    #[serde(default)]
    pub withdrawn: BTreeMap<String, String>,
}

impl Slot {
    /// Why the file with this stamp has no verdict yet.
    pub fn postponed(&self, stamp: Stamp) -> Option<&str> {
        self.postponed.as_ref().filter(|postponed| postponed.stamp == stamp).map(|postponed| postponed.reason.as_str())
    }
}

/// An examination that came to no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponed {
    /// Of the published file.
    pub stamp: Stamp,
    /// Why, in at most three lines.
    pub reason: String,
}

/// A content, and the stamp of the file that had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of the published file.
    pub stamp: Stamp,
    /// SHA-256 of its content, as hex.
    pub sha256: String,
    /// Where it said that its own shared libraries are.
    #[serde(default)]
    pub library_dirs: Vec<PathBuf>,
}

impl Journal {
    /// What is known of a content, by this build of the host.
    pub fn verdict(&self, sha256: &str, of_host: &str) -> Option<&Verdict> {
        self.verdicts.get(sha256)?.iter().find(|verdict| verdict.host() == of_host)
    }

    /// Adds what a build of the host has found out about a content, in place of what it found before.
    pub fn record(&mut self, sha256: &str, verdict: Verdict) {
        let verdicts = self.verdicts.entry(sha256.to_owned()).or_default();
        verdicts.retain(|earlier| earlier.host() != verdict.host());
        verdicts.push(verdict);
        let n_too_many = verdicts.len().saturating_sub(MOST_HOSTS);
        verdicts.drain(..n_too_many);
    }

    /// Forgets what a build of the host has found out about a content.
    pub fn forget(&mut self, sha256: &str, of_host: &str) {
        if let Some(verdicts) = self.verdicts.get_mut(sha256) {
            verdicts.retain(|verdict| verdict.host() != of_host);
        }
    }

    /// The manifest of a content that may serve.
    pub fn manifest(&self, sha256: &str, of_host: &str) -> Option<&Manifest> {
        match self.verdict(sha256, of_host)? {
            Verdict::Passed { manifest, .. } => Some(manifest),
            Verdict::Failed { .. } => None,
        }
    }

    /// The stamp of the private copy of a content that may serve.
    pub fn copy(&self, sha256: &str) -> Option<Stamp> {
        self.verdicts.get(sha256)?.iter().rev().find_map(|verdict| match verdict {
            Verdict::Passed { copy, .. } => *copy,
            Verdict::Failed { .. } => None,
        })
    }

    /// Every id that the contents of a file have had.
    pub fn ids(&self, path: &Path) -> BTreeSet<&str> {
        let all = self.slots.get(path).map(|slot| slot.generations.all()).unwrap_or_default();
        let verdicts = all.iter().filter_map(|generation| self.verdicts.get(&generation.sha256)).flatten();
        let ids = verdicts.filter_map(|verdict| match verdict {
            Verdict::Passed { manifest, .. } => Some(manifest.id.as_str()),
            Verdict::Failed { .. } => None,
        });
        ids.collect()
    }

    /// Whether a content stands in any file's history, or in a file.
    pub fn refers_to(&self, sha256: &str) -> bool {
        self.slots.values().any(|slot| {
            slot.seen.as_ref().is_some_and(|seen| seen.sha256 == sha256)
                || slot.generations.all().iter().any(|generation| generation.sha256 == sha256)
        })
    }

    /// Forgets files that are gone, and verdicts that nothing refers to: both are found anew.
    fn tidy(&mut self) {
        self.slots.retain(|path, slot| slot.generations.current().is_some() || path.exists());
        let referred: Vec<_> = self.verdicts.keys().filter(|sha256| self.refers_to(sha256)).cloned().collect();
        self.verdicts.retain(|sha256, _| referred.binary_search(sha256).is_ok());
    }
}

/// The journal's file, and the state that was last read of it.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    lock: PathBuf,
    read: Mutex<(Option<Stamp>, Journal)>,
}

impl JournalFile {
    /// The journal within a folder of state, which is there. A file that cannot be read is set aside: everything is then
    /// examined anew.
    ///
    /// # Errors
    /// The file system's.
    pub fn within(state_dir: &Path) -> io::Result<Self> {
        let (path, lock) = (state_dir.join("journal.json"), state_dir.join("journal.lock"));
        let file = Self { path, lock, read: Mutex::default() };
        match file.update(Journal::tidy) {
            // It can be read, and tidied another time.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tracing::warn!("{error}"),
            tidied => tidied?,
        }
        Ok(file)
    }

    /// Whether another process has changed it since it was read.
    pub fn has_changed(&self) -> bool {
        Stamp::of(&self.path).ok() != self.state().0
    }

    /// What it says at this moment.
    pub fn current(&self) -> Journal {
        let mut state = self.state();
        if let Err(error) = self.refresh(&mut state) {
            tracing::warn!("the journal of plugins `{}` cannot be read: {error}", self.path.display());
        }
        state.1.clone()
    }

    /// Changes it as it is then; written only where something has changed.
    ///
    /// # Errors
    /// The file system's; nothing is changed then.
    pub fn update<T>(&self, change: impl FnOnce(&mut Journal) -> T) -> io::Result<T> {
        let mut state = self.state();
        let _locked = self.locked()?;
        self.refresh(&mut state)?;
        let mut journal = state.1.clone();
        let answer = change(&mut journal);
        if journal.verdicts.len() > MOST_VERDICTS {
            journal.tidy();
        }
        if journal != state.1 || state.0.is_none() {
            journal.version = VERSION;
            self.write(&journal)?;
            *state = (Stamp::of(&self.path).ok(), journal);
        }
        Ok(answer)
    }

    /// The lock, held until dropped. A process that was stopped while it held it must not stop others.
    fn locked(&self) -> io::Result<File> {
        // Somebody may have removed the folder, which holds nothing that cannot be found out anew.
        let folder = self.lock.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock)?;
        let deadline = Instant::now() + LONGEST_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LONGEST_WAIT / 1000),
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another process holds `{}`; see who has it open", self.lock.display());
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn refresh(&self, state: &mut (Option<Stamp>, Journal)) -> io::Result<()> {
        let stamp = match Stamp::of(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *state = (None, Journal::default());
                return Ok(());
            }
            stamp => stamp?,
        };
        if state.0 == Some(stamp) {
            return Ok(());
        }
        let journal = match serde_json::from_slice::<Journal>(&fs::read(&self.path)?) {
            Ok(journal) if journal.version == VERSION => journal,
            Ok(journal) => self.set_aside(&format!("has form {}, this host writes {VERSION}", journal.version))?,
            Err(error) => self.set_aside(&format!("cannot be read ({error})"))?,
        };
        *state = (Stamp::of(&self.path).ok(), journal);
        Ok(())
    }

    fn set_aside(&self, why: &str) -> io::Result<Journal> {
        let aside = self.path.with_extension("broken");
        fs::rename(&self.path, &aside)?;
        let (path, aside) = (self.path.display(), aside.display());
        tracing::warn!("the journal of plugins `{path}` {why}; it is kept as `{aside}`, and all is examined anew");
        Ok(Journal::default())
    }

    fn write(&self, journal: &Journal) -> io::Result<()> {
        let unfinished = self.path.with_extension("new");
        let mut file: File =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(journal)?)?;
        // A power cut must not leave an empty file under the name.
        file.sync_data()?;
        fs::rename(unfinished, &self.path)
    }

    fn state(&self) -> MutexGuard<'_, (Option<Stamp>, Journal)> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::catalog::generations::Content;

    fn publish(journal: &mut Journal, path: &str, sha256: &str) {
        let content = Content { sha256: sha256.to_owned(), version: "1.0.0".to_owned(), library_dirs: Vec::new() };
        journal.slots.entry(path.into()).or_default().generations.publish(content, "now");
        let (host, reason) = (String::new(), "broken".to_owned());
        journal.record(sha256, Verdict::Failed { host, reason });
    }

    #[test]
    fn what_one_process_writes_another_reads_and_only_this_user() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (JournalFile::within(folder.path()).unwrap(), JournalFile::within(folder.path()).unwrap());
        assert!(!other.has_changed());
        one.update(|journal| publish(journal, "/p/a", "aa")).unwrap();
        assert!(other.has_changed());
        other.update(|journal| publish(journal, "/p/b", "bb")).unwrap();
        assert!(!other.has_changed());
        assert_eq!(one.current(), other.current());
        assert_eq!(one.current().slots.len(), 2);
        let mode = fs::metadata(folder.path().join("journal.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn two_builds_of_the_host_keep_their_verdicts_apart() {
        let mut journal = Journal::default();
        let failed = |host: &str, reason: &str| Verdict::Failed { host: host.to_owned(), reason: reason.to_owned() };
        for host in ["one", "other", "one"] {
            journal.record("aa", failed(host, host));
        }
        assert_eq!(journal.verdict("aa", "other"), Some(&failed("other", "other")));
        assert_eq!(journal.verdicts["aa"].len(), 2);
        (0..10).for_each(|build| journal.record("aa", failed(&format!("{build}"), "")));
        assert_eq!(journal.verdicts["aa"].len(), MOST_HOSTS, "old builds are forgotten");
        assert_eq!(journal.verdict("aa", "one"), None);
    }

    #[test]
    fn changes_of_many_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = JournalFile::within(folder.path()).unwrap();
                scope.spawn(move || {
                    for idx in 0..25 {
                        file.update(|journal| {
                            publish(journal, &format!("/p/{writer}/{idx}"), &format!("{writer}-{idx}"))
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(JournalFile::within(folder.path()).unwrap().current().slots.len(), 100);
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_kept_beside_and_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        for broken in ["{\"version\": 1, \"verd", "{\"version\": 99, \"verdicts\": {}, \"slots\": {}}", ""] {
            fs::write(folder.path().join("journal.json"), broken).unwrap();
            assert!(JournalFile::within(folder.path()).unwrap().current().slots.is_empty());
            assert_eq!(fs::read_to_string(folder.path().join("journal.broken")).unwrap(), broken);
        }
    }

    #[test]
    fn what_nothing_refers_to_is_forgotten_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = JournalFile::within(folder.path()).unwrap();
        file.update(|journal| {
            publish(journal, "/p/a", "kept");
            publish(journal, "/p/b", "orphan");
            journal.slots.remove(Path::new("/p/b"));
            journal.slots.insert("/p/never-served".into(), Slot::default());
        })
        .unwrap();
        let journal = JournalFile::within(folder.path()).unwrap().current();
        assert_eq!(journal.verdicts.keys().collect::<Vec<_>>(), ["kept"]);
        assert_eq!(journal.slots.keys().collect::<Vec<_>>(), [Path::new("/p/a")]);
    }
}
