//! Stores private copies of libraries by their hash, so that the bytes that were examined are the
//! bytes that run.
//!
//! In: a published file, which may change at any time. Out: a copy that other users cannot write,
//! and its SHA-256. Invariant: if the name of a folder is a hash, every file in it has this hash.
//! No library is executed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oculus_job::hash;
use oculus_system::files::{Access, create_dir_all_durably, persist_durably};
use sha2::{Digest, Sha256};

use crate::file_id::FileId;

/// A folder of private copies.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A copy under a temporary name, which is removed when dropped.
#[derive(Debug)]
pub struct StagedCopy {
    file: tempfile::NamedTempFile,
    /// SHA-256 of the bytes, as hex.
    pub sha256: String,
    /// Id of the published file. The file did not change while it was copied.
    pub file_id: FileId,
}

/// The time for which an unreferenced copy is kept, because a job may still start a process with
/// it.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Prefix of the temporary names of copies.
const STAGED_PREFIX: &str = "new-";
/// The time for which a copy under a temporary name is kept, because a process may still be writing
/// it.
const STAGED_RETENTION: Duration = Duration::from_secs(3600);
/// The maximum size of a library.
const MAX_BYTES: u64 = 2 << 30;

impl Store {
    /// Opens the store in a state folder. Creates the state folder and the store if they do not
    /// exist, with access for this user only.
    ///
    /// # Errors
    /// Returns `PermissionDenied` if other users may write the state folder, and any other
    /// [`io::Error`] if a folder cannot be created or read.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let store = Self { folder: state_dir.join("store") };
        store.create_folder()?;
        let found = fs::metadata(state_dir)?;
        let owner = found.uid();
        if owner != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            let mode = found.mode() & 0o7777;
            let message = format!(
                "the folder belongs to user {owner} and has mode {mode:o}, expected a folder of this user that other users \
                 cannot write"
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        fs::set_permissions(&store.folder, Permissions::from_mode(0o700))?;
        Ok(store)
    }

    /// Creates the folder of the store, which may have been removed together with other temporary
    /// files.
    fn create_folder(&self) -> io::Result<()> {
        create_dir_all_durably(&self.folder, Access::Owner)
    }

    /// Copies a published file.
    ///
    /// # Errors
    /// Returns `InvalidInput` if the source is not a file or is too large. Returns `ResourceBusy`
    /// if the source changed while it was copied. Returns any other [`io::Error`] if the source
    /// cannot be read or the copy cannot be written.
    pub fn copy(&self, source: &Path) -> io::Result<StagedCopy> {
        self.create_folder()?;
        // A pipe may have replaced the file since the scan, and the opening of a pipe must not
        // block.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut input = OpenOptions::new().read(true).custom_flags(nonblock).open(source)?;
        let metadata = input.metadata()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            let found = if metadata.is_file() {
                format!("{} bytes", metadata.len())
            } else {
                "an entry that is not a file".to_owned()
            };
            let message = format!("found {found}, expected a library of at most {} MiB", MAX_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let file_id = FileId::from(&metadata);
        let mut file = tempfile::Builder::new().prefix(STAGED_PREFIX).tempfile_in(&self.folder)?;
        // The length is limited, because the file may grow while it is read.
        let sha256 = copy_hashed(&mut (&mut input).take(MAX_BYTES), file.as_file_mut())?;
        // The check uses the path instead of the open file, because a file that was replaced
        // meanwhile must also be copied again.
        if FileId::from_path(source)? != file_id {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the file is being written"));
        }
        Ok(StagedCopy { file, sha256, file_id })
    }

    /// Moves a copy durably to its final path, as a read-only file with the name of its source.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the copy cannot be moved.
    pub fn persist(&self, copy: StagedCopy, source: &Path) -> io::Result<PathBuf> {
        let path = self.path(&copy.sha256, source);
        let folder = self.folder.join(&copy.sha256);
        create_dir_all_durably(&folder, Access::Owner)?;
        copy.file.as_file().set_permissions(Permissions::from_mode(0o400))?;
        persist_durably(copy.file, &path)?;
        Ok(path)
    }

    /// Returns the path of the copy of a published file with this hash.
    ///
    /// The copy keeps the name of the published file, so that debuggers and profilers show this
    /// name.
    pub fn path(&self, sha256: &str, source: &Path) -> PathBuf {
        self.folder.join(sha256).join(source.file_name().unwrap_or_default())
    }

    /// Removes all copies with this hash.
    pub fn remove(&self, sha256: &str) {
        // The next sweep removes whatever this call could not remove.
        let _ = fs::remove_dir_all(self.folder.join(sha256));
    }

    /// Removes old unreferenced copies.
    pub fn sweep(&self, is_referred_to: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            let name = entry.file_name().to_string_lossy().into_owned();
            let longest = if name.starts_with(STAGED_PREFIX) { STAGED_RETENTION } else { RETENTION };
            if age.is_some_and(|age| age > longest) && !is_referred_to(&name) {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
            }
        }
    }
}

impl StagedCopy {
    /// Maps the bytes of the copy.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be mapped.
    pub fn bytes(&self) -> io::Result<memmap2::Mmap> {
        // SAFETY: the file is in a folder that only this user may write, has a name that no other
        // process uses, and is not written any more.
        unsafe { memmap2::Mmap::map(self.file.as_file()) }
    }
}

/// Copies all bytes and returns their SHA-256 as hex.
fn copy_hashed(input: &mut impl Read, output: &mut impl Write) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(hash::hex(&hasher.finalize())),
            Ok(n_bytes) => {
                hasher.update(&buffer[..n_bytes]);
                output.write_all(&buffer[..n_bytes])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use oculus_job::hash::sha256_hex;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_copy_is_stored_by_hash_read_only_and_for_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let source = folder.path().join("libx.so");
        fs::write(&source, b"bytes").unwrap();
        let store = Store::open(&state).unwrap();
        let copy = store.copy(&source).unwrap();
        assert_eq!(copy.sha256, sha256_hex(b"bytes"));
        assert_eq!(&*copy.bytes().unwrap(), b"bytes");
        let sha256 = copy.sha256.clone();
        let path = store.persist(copy, &source).unwrap();
        assert_eq!(path, store.path(&sha256, &source));
        fs::write(&source, b"other").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(&state.join("store"))), (0o400, 0o700, 0o700));
        assert_eq!(mode(&state), 0o700);
    }

    #[test]
    fn a_copy_that_is_dropped_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("libx.so");
        fs::write(&source, b"bytes").unwrap();
        let store = Store::open(folder.path()).unwrap();
        drop(store.copy(&source).unwrap());
        assert_eq!(fs::read_dir(folder.path().join("store")).unwrap().count(), 0);
    }

    #[test]
    fn recent_and_referenced_copies_are_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let old = SystemTime::now() - RETENTION - Duration::from_secs(60);
        for (name, is_old) in [("kept", true), ("old", true), ("young", false)] {
            let copies = folder.path().join("store").join(name);
            fs::create_dir(&copies).unwrap();
            if is_old {
                std::fs::File::open(&copies).unwrap().set_modified(old).unwrap();
            }
        }
        store.sweep(|name| name == "kept");
        let mut left: Vec<_> =
            fs::read_dir(folder.path().join("store")).unwrap().flatten().map(|e| e.file_name()).collect();
        left.sort();
        assert_eq!(left, ["kept", "young"]);
    }
}
