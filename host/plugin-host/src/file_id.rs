//! Identifies a file and its version by metadata: while the id is unchanged, the bytes need not be
//! hashed again.
//!
//! In: a path. Out: a [`FileId`]. Every write to a file, including a write through a mapping,
//! updates the file's time of last status change. No program can set this time. Hashing a library
//! of 13 MiB takes 11 ms at each start of a plugin; reading its id takes microseconds.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// The device, inode, length, time of last write and time of last status change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    device: u64,
    inode: u64,
    n_bytes: u64,
    /// Time of the last write, in seconds and nanoseconds.
    modified: (i64, i64),
    /// Time of the last status change, in seconds and nanoseconds.
    changed: (i64, i64),
}

impl FileId {
    /// Returns the id of the file at `path`, following links. Call this before the bytes are read,
    /// so that a write between the two reads changes the id.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the metadata cannot be read.
    pub fn from_path(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&path.metadata()?))
    }

    /// Returns the time of the last status change, in seconds and nanoseconds. A rename updates
    /// this time, but it does not update the time of the last write.
    pub fn changed_at(&self) -> (i64, i64) {
        self.changed
    }

    /// Returns whether the file was written within the last `age`.
    pub fn is_younger_than(&self, age: Duration) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanos) = self.modified;
        let modified = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        // A time in the future is treated as old, because a wrong clock must not delay the
        // examination of a file.
        (0..age.as_nanos().cast_signed()).contains(&(now.as_nanos().cast_signed() - modified))
    }
}

impl From<&Metadata> for FileId {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            n_bytes: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};

    use super::*;

    #[test]
    fn an_unchanged_file_keeps_its_id_and_a_copy_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("one");
        let other = folder.path().join("other");
        fs::write(&one, "bytes").unwrap();
        fs::copy(&one, &other).unwrap();
        let id = FileId::from_path(&one).unwrap();
        fs::read(&one).unwrap();
        assert_eq!(FileId::from_path(&one).unwrap(), id);
        assert_ne!(FileId::from_path(&other).unwrap(), id);
    }

    #[test]
    fn a_write_changes_the_id_even_if_length_and_modification_time_are_restored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library");
        fs::write(&path, "bytes").unwrap();
        let long_ago = FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        let restore_time = || OpenOptions::new().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
        restore_time();
        let id = FileId::from_path(&path).unwrap();
        // Writes repeatedly, because the clock of a file system may tick more slowly than this test
        // runs.
        let changed = std::iter::repeat_with(|| {
            fs::write(&path, "other").unwrap();
            restore_time();
            FileId::from_path(&path).unwrap()
        });
        let changed = changed.take(1_000_000).find(|changed| *changed != id).unwrap();
        assert_eq!((changed.n_bytes, changed.modified), (id.n_bytes, id.modified));
    }
}
