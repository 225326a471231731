//! Files that survive a crash: each is complete under its name or keeps its previous content.
//!
//! Invariant: the bytes reach the disk before the name does, and the name before the caller continues. A rename without
//! syncing the file first may leave an empty file after a power loss; one without syncing the folder may vanish.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Prefix of temporary files; what a killed process leaves behind can be recognised by it.
pub const TEMPORARY_PREFIX: &str = ".oculus-";

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Who may read a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the user that runs this process.
    Owner,
    /// Every user that the process's umask admits.
    Umask,
}

/// Replaces the content of `path` by `bytes`: writes a temporary file next to it, syncs it, renames it, syncs the folder.
///
/// # Errors
/// The file system's, such as a missing folder or a full disk. The previous content of `path` is then unchanged, unless
/// only the last step failed, the sync of the folder.
pub fn write_durably(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    write_durably_with(path, access, |out| out.write_all(bytes))
}

/// Replaces the content of `path` by what `write` writes, like [`write_durably`].
///
/// # Errors
/// The file system's as an `E`, and those of `write`.
pub fn write_durably_with<E: From<io::Error>>(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
) -> Result<(), E> {
    let folder = folder_of(path);
    let temporary = temporary_in(folder, access)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, temporary.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)?;
    Ok(())
}

/// Copies the file `from` to `to`, with its permissions, like [`write_durably`].
///
/// # Errors
/// The file system's.
pub fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    let folder = folder_of(to);
    let temporary = temporary_in(folder, Access::Owner)?;
    std::fs::copy(from, temporary.path())?;
    temporary.as_file().sync_all()?;
    temporary.persist(to).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Creates the folder `path` complete or not at all: `fill` writes into a temporary folder next to it, which is renamed.
///
/// # Errors
/// The file system's, and those of `fill`; `AlreadyExists` or `DirectoryNotEmpty` if there is such a folder.
pub fn create_folder_durably(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let parent = folder_of(path);
    let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent)?;
    // A folder of its own, since the temporary one is closed to all other users.
    let unfinished = temporary.path().join("unfinished");
    std::fs::create_dir(&unfinished)?;
    fill(&unfinished)?;
    sync_folder(&unfinished)?;
    std::fs::rename(&unfinished, path)?;
    sync_folder(parent)
}

fn temporary_in(folder: &Path, access: Access) -> io::Result<NamedTempFile> {
    let mode = match access {
        Access::Owner => 0o600,
        Access::Umask => 0o666,
    };
    tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(".tmp")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
}

/// Returns the folder of a file, `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a folder's entries to the disk: a rename lasts only then.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(PathBuf::from(folder))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_previous_content_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_durably(&path, b"old", Access::Owner).unwrap();
        let failed = write_durably_with(&path, Access::Owner, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::Other);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_for_the_owner_is_closed_to_others_and_a_copy_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let [owned, copied] = ["a", "b"].map(|name| folder.path().join(name));
        write_durably(&owned, b"secret", Access::Owner).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&owned), 0o600);
        std::fs::set_permissions(&owned, Permissions::from_mode(0o750)).unwrap();
        copy_durably(&owned, &copied).unwrap();
        assert_eq!((mode(&copied), std::fs::read(&copied).unwrap()), (0o750, b"secret".to_vec()));
    }

    #[test]
    fn a_folder_is_complete_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crate");
        let failed = create_folder_durably(&path, |_| Err(io::Error::other("no more")));
        assert!(failed.is_err() && std::fs::read_dir(folder.path()).unwrap().count() == 0);
        create_folder_durably(&path, |inside| std::fs::write(inside.join("a"), "text")).unwrap();
        assert_eq!(std::fs::read(path.join("a")).unwrap(), b"text");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_durably(&folder.path().join("no/a"), b"x", Access::Umask).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
