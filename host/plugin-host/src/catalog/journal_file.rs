//! Stores the journal on disk, so that verdicts and generations survive a restart.
//!
//! One JSON file contains the records of all plugins folders and workers of a user. Invariants:
//! every change is made under a lock and applies to the current state of the file. A reader always
//! reads a complete state.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_system::files::{Access, create_dir_all_durably, write_durably};

use super::journal::{Journal, VERSION};
use crate::file_id::FileId;

/// The longest wait for a lock that another process holds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Delay between two attempts to acquire the lock.
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// The journal file and the state that was last read from it.
#[derive(Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
    lock: PathBuf,
    /// Id of the file when `journal` was read; `None` until the file exists.
    file_id: Option<FileId>,
    journal: Arc<Journal>,
}

impl JournalFile {
    /// Opens the journal in an existing state folder. A file that cannot be parsed is renamed, and
    /// everything is examined again.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the journal or its lock cannot be read or written.
    pub(crate) fn open(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join("journal.json");
        let lock = state_dir.join("journal.lock");
        let mut file = Self { path, lock, file_id: None, journal: Arc::default() };
        match file.update(Journal::remove_unreferenced) {
            // Only the cleanup needs the lock here, because the journal can be read without it.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tracing::warn!("{error}"),
            tidied => tidied?,
        }
        Ok(file)
    }

    /// Returns whether another process has changed the file since it was read.
    pub(crate) fn has_changed(&self) -> bool {
        FileId::from_path(&self.path).ok() != self.file_id
    }

    /// Returns the current state. If the file cannot be read, returns the state that was last read.
    pub(crate) fn current(&mut self) -> Arc<Journal> {
        if let Err(error) = self.refresh() {
            tracing::warn!("cannot read the journal of plugins `{}`: {error}", self.path.display());
        }
        Arc::clone(&self.journal)
    }

    /// Applies `change` to the current state, and writes the file if the state has changed.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the lock cannot be acquired or the file cannot be read or written.
    /// The state is then unchanged.
    pub(crate) fn update<T>(&mut self, change: impl FnOnce(&mut Journal) -> T) -> io::Result<T> {
        let _lock = self.lock()?;
        // The file is read under the lock, because another process may have changed it and that
        // change must not be lost.
        self.refresh()?;
        let mut journal = Journal::clone(&self.journal);
        let result = change(&mut journal);
        journal.limit_verdicts();
        if journal != *self.journal || self.file_id.is_none() {
            journal.version = VERSION;
            write_durably(&self.path, &serde_json::to_vec_pretty(&journal)?, Access::Owner)?;
            self.file_id = FileId::from_path(&self.path).ok();
            self.journal = Arc::new(journal);
        }
        Ok(result)
    }

    /// Acquires the lock, which is released when the returned file is dropped. The wait is limited:
    /// a process that was stopped while it held the lock must not block the others.
    fn lock(&self) -> io::Result<File> {
        // A removed folder is not an error, because every plugin can be examined again.
        let folder = self.lock.parent().unwrap_or(Path::new("."));
        create_dir_all_durably(folder, Access::Owner)?;
        // The lock is a separate file. A rename replaces the journal, so a lock on the journal
        // itself would not exclude other processes.
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock)?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_RETRY),
                Err(TryLockError::WouldBlock) => {
                    let message = format!(
                        "another process has locked `{}`; find it with `lsof` and stop it",
                        self.lock.display()
                    );
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Reads the file if it has changed since it was last read.
    fn refresh(&mut self) -> io::Result<()> {
        let found = match FileId::from_path(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            found => Some(found?),
        };
        if found.is_some() && found == self.file_id {
            return Ok(());
        }
        let journal = if found.is_some() { self.read()? } else { None };
        // The id was read before the file, so that the next call detects a change between the two
        // reads.
        self.file_id = found.filter(|_| journal.is_some());
        self.journal = Arc::new(journal.unwrap_or_default());
        Ok(())
    }

    /// Reads the file; returns `None` if it cannot be parsed and was renamed.
    fn read(&self) -> io::Result<Option<Journal>> {
        let problem = match serde_json::from_slice::<Journal>(&fs::read(&self.path)?) {
            Ok(journal) if journal.version == VERSION => return Ok(Some(journal)),
            Ok(journal) => format!("has format version {}, expected {VERSION}", journal.version),
            Err(error) => format!("cannot be parsed ({error})"),
        };
        self.rename_invalid(&problem)?;
        Ok(None)
    }

    /// Renames a journal that cannot be parsed, so that a user can inspect it.
    fn rename_invalid(&self, problem: &str) -> io::Result<()> {
        let renamed = self.path.with_extension("broken");
        fs::rename(&self.path, &renamed)?;
        let path = self.path.display();
        let renamed = renamed.display();
        tracing::warn!(
            "the journal of plugins `{path}` {problem}; it was renamed to `{renamed}`, and every plugin is examined again"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::catalog::generations::LibraryBuild;
    use crate::catalog::journal::{FileRecord, ProbeVerdict};

    fn open(folder: &tempfile::TempDir) -> JournalFile {
        JournalFile::open(folder.path()).unwrap()
    }

    fn publish(journal: &mut Journal, path: &str, sha256: &str) {
        let build = LibraryBuild { sha256: sha256.to_owned(), version: "1.0.0".to_owned(), library_dirs: Vec::new() };
        journal.files.entry(path.into()).or_default().generations.publish(build, "now");
        journal.record(sha256, ProbeVerdict::Failed { host: String::new(), reason: "broken".to_owned() });
    }

    #[test]
    fn a_change_is_visible_to_other_processes_of_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = open(&folder);
        let mut other = open(&folder);
        assert!(!other.has_changed());
        one.update(|journal| publish(journal, "/p/a", "aa")).unwrap();
        assert!(other.has_changed());
        other.update(|journal| publish(journal, "/p/b", "bb")).unwrap();
        assert!(!other.has_changed());
        assert_eq!(one.current(), other.current());
        assert_eq!(one.current().files.len(), 2);
        let mode = fs::metadata(folder.path().join("journal.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn concurrent_changes_are_all_stored() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let mut file = open(&folder);
                scope.spawn(move || {
                    for idx in 0..25 {
                        let path = format!("/p/{writer}/{idx}");
                        let sha256 = format!("{writer}-{idx}");
                        file.update(|journal| publish(journal, &path, &sha256)).unwrap();
                    }
                });
            }
        });
        assert_eq!(open(&folder).current().files.len(), 100);
    }

    #[test]
    fn an_invalid_journal_is_renamed_and_replaced_by_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        for broken in ["{\"version\": 1, \"verd", "{\"version\": 99, \"verdicts\": {}, \"slots\": {}}", ""] {
            fs::write(folder.path().join("journal.json"), broken).unwrap();
            assert!(open(&folder).current().files.is_empty());
            assert_eq!(fs::read_to_string(folder.path().join("journal.broken")).unwrap(), broken);
        }
    }

    #[test]
    fn unreferenced_records_are_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        open(&folder)
            .update(|journal| {
                publish(journal, "/p/a", "kept");
                publish(journal, "/p/b", "orphan");
                journal.files.remove(Path::new("/p/b"));
                journal.files.insert("/p/never-active".into(), FileRecord::default());
            })
            .unwrap();
        let journal = open(&folder).current();
        assert_eq!(journal.verdicts.keys().collect::<Vec<_>>(), ["kept"]);
        assert_eq!(journal.files.keys().collect::<Vec<_>>(), [Path::new("/p/a")]);
    }
}
