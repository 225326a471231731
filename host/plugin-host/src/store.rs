//! Private copies of libraries, named by their content, so that the bytes that were examined are the bytes that run.
//!
//! In: a published file, which may change at any time. Out: a copy that no other user may write, and its SHA-256.
//! Invariant: a file in the folder of a hash has that hash. Nothing is executed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oculus_job::hash;
use oculus_system::files::{Access, create_dir_all_durably, persist_durably};
use sha2::{Digest, Sha256};

use crate::file_id::FileId;

/// A folder of copies.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A copy that has no final path yet; removed when dropped.
#[derive(Debug)]
pub struct Unplaced {
    file: tempfile::NamedTempFile,
    /// SHA-256 of the bytes, as hex.
    pub sha256: String,
    /// Id of the published file, which did not change while it was read.
    pub file_id: FileId,
}

/// How long copies without a reference are kept: a job may still start a process on one.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Prefix of the names of copies without a final path.
const UNPLACED: &str = "new-";
/// How long such a copy is kept, in case its process still writes it.
const KEPT_UNPLACED: Duration = Duration::from_secs(3600);
/// Size of the largest library that is copied.
const MOST_BYTES: u64 = 2 << 30;

impl Store {
    /// Opens the store in a state folder, and creates both for this user alone.
    ///
    /// # Errors
    /// The file system's, and `PermissionDenied` for a folder that other users may write.
    pub fn within(state_dir: &Path) -> io::Result<Self> {
        let store = Self { folder: state_dir.join("store") };
        store.make()?;
        let found = fs::metadata(state_dir)?;
        let owner = found.uid();
        if owner != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            let message =
                format!("it belongs to user {owner} with mode {:o}; needed one of ours", found.mode() & 0o7777);
            let message = format!("{message}, which nobody else may write");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        fs::set_permissions(&store.folder, Permissions::from_mode(0o700))?;
        Ok(store)
    }

    /// Creates the folder of the store, also if a cleaner of temporary folders has removed it.
    fn make(&self) -> io::Result<()> {
        create_dir_all_durably(&self.folder, Access::Owner)
    }

    /// Copies a published file.
    ///
    /// # Errors
    /// The file system's, `InvalidInput` if the source is not a file or too large, and `ResourceBusy` if it changed
    /// meanwhile.
    pub fn copy(&self, source: &Path) -> io::Result<Unplaced> {
        self.make()?;
        // If a pipe has replaced the file meanwhile, opening it must not block.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut input = OpenOptions::new().read(true).custom_flags(nonblock).open(source)?;
        let metadata = input.metadata()?;
        if !metadata.is_file() || metadata.len() > MOST_BYTES {
            let found = if metadata.is_file() { format!("{} bytes", metadata.len()) } else { "no file".to_owned() };
            let message = format!("found {found}, needed a library of at most {} MiB", MOST_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let file_id = FileId::from(&metadata);
        let mut file = tempfile::Builder::new().prefix(UNPLACED).tempfile_in(&self.folder)?;
        // Bounded, because the file may grow while it is read.
        let sha256 = copy_hashed(&mut (&mut input).take(MOST_BYTES), file.as_file_mut())?;
        if FileId::from_path(source)? != file_id {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written"));
        }
        Ok(Unplaced { file, sha256, file_id })
    }

    /// Moves a copy durably to its final path, read-only, under the name of its source.
    ///
    /// # Errors
    /// The file system's.
    pub fn place(&self, copy: Unplaced, source: &Path) -> io::Result<PathBuf> {
        let path = self.path(&copy.sha256, source);
        let folder = self.folder.join(&copy.sha256);
        create_dir_all_durably(&folder, Access::Owner)?;
        copy.file.as_file().set_permissions(Permissions::from_mode(0o400))?;
        persist_durably(copy.file, &path)?;
        Ok(path)
    }

    /// Returns the path of the copy of a source.
    pub fn path(&self, sha256: &str, source: &Path) -> PathBuf {
        self.folder.join(sha256).join(source.file_name().unwrap_or_default())
    }

    /// Removes the copies of a hash.
    pub fn remove(&self, sha256: &str) {
        // The next sweep removes what remains.
        let _ = fs::remove_dir_all(self.folder.join(sha256));
    }

    /// Removes old copies without a reference.
    pub fn sweep(&self, is_referred_to: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            let name = entry.file_name().to_string_lossy().into_owned();
            let longest = if name.starts_with(UNPLACED) { KEPT_UNPLACED } else { KEPT };
            if age.is_some_and(|age| age > longest) && !is_referred_to(&name) {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
            }
        }
    }
}

impl Unplaced {
    /// Maps the bytes of the copy.
    ///
    /// # Errors
    /// The file system's.
    pub fn bytes(&self) -> io::Result<memmap2::Mmap> {
        // SAFETY: the file is in a folder that only this user may write, has a name that no other process uses, and is
        // not written any more.
        unsafe { memmap2::Mmap::map(self.file.as_file()) }
    }
}

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
    fn a_copy_is_named_by_its_content_read_only_and_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let source = folder.path().join("libx.so");
        fs::write(&source, b"bytes").unwrap();
        let store = Store::within(&state).unwrap();
        let copy = store.copy(&source).unwrap();
        assert_eq!(copy.sha256, sha256_hex(b"bytes"));
        assert_eq!(&*copy.bytes().unwrap(), b"bytes");
        let sha256 = copy.sha256.clone();
        let path = store.place(copy, &source).unwrap();
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
        let store = Store::within(folder.path()).unwrap();
        drop(store.copy(&source).unwrap());
        assert_eq!(fs::read_dir(folder.path().join("store")).unwrap().count(), 0);
    }

    #[test]
    fn young_copies_and_copies_with_a_reference_are_never_swept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::within(folder.path()).unwrap();
        let old = SystemTime::now() - KEPT - Duration::from_secs(60);
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
