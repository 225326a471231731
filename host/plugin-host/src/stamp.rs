//! What the file system says of a library whose bytes were checked: while it says the same, they need no second look.
//!
//! Every write to a file, also through a mapping, sets the time of its last change, which no program can choose. SHA-256
//! of a library of 13 MiB takes 11 ms at each start of a plugin; its stamp takes microseconds.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Which file it is, how long, and when it was written and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    n_bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file as it is now. To be taken before its bytes are read, so that a write meanwhile shows.
    ///
    /// # Errors
    /// The file system's own.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&path.metadata()?))
    }

    /// Whether the file was written within this time.
    pub fn is_younger_than(&self, age: Duration) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanos) = self.modified;
        let modified = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        // A time to come says nothing.
        (0..age.as_nanos().cast_signed()).contains(&(now.as_nanos().cast_signed() - modified))
    }
}

impl From<&Metadata> for Stamp {
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};

    use super::*;

    #[test]
    fn a_file_that_is_left_alone_keeps_its_stamp_and_another_with_the_same_bytes_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "bytes").unwrap();
        fs::copy(&one, &other).unwrap();
        let stamp = Stamp::of(&one).unwrap();
        fs::read(&one).unwrap();
        assert_eq!(Stamp::of(&one).unwrap(), stamp);
        assert_ne!(Stamp::of(&other).unwrap(), stamp);
    }

    #[test]
    fn a_write_shows_even_where_length_and_time_of_writing_are_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library");
        fs::write(&path, "bytes").unwrap();
        let long_ago = FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        let put_back = || OpenOptions::new().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
        put_back();
        let stamp = Stamp::of(&path).unwrap();
        // Again and again, since a file system's clock may tick more slowly than this test runs.
        let changed = std::iter::repeat_with(|| {
            fs::write(&path, "other").unwrap();
            put_back();
            Stamp::of(&path).unwrap()
        });
        let changed = changed.take(1_000_000).find(|changed| *changed != stamp).unwrap();
        assert_eq!((changed.n_bytes, changed.modified), (stamp.n_bytes, stamp.modified));
    }
}
