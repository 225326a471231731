//! Writes files that survive a crash: after a power loss a file has its whole new content or its
//! whole previous content.
//!
//! In: a path and its content. Out: the file or folder, stored on the disk. Invariant: the content
//! is synced before the rename, and the rename is synced before the function returns. If the
//! content were not synced first, the file could be empty after a power loss. If the folder were
//! not synced, the rename could be lost.

use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Prefix and suffix of temporary names. They identify files that a killed process leaves behind.
const TEMPORARY_PREFIX: &str = ".oculus-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Size of the write buffer in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// The users that may access a new file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the user that runs this process.
    Owner,
    /// Every user that the umask of the process permits.
    Umask,
}

/// Replaces the content of `path` with `bytes`: writes a temporary file in the same folder, syncs
/// it, renames it to `path`, and syncs the folder.
///
/// The file gets the mode of `access`, even if `path` existed with another mode. A symbolic link is
/// replaced, not followed. Several threads or processes may write to the same path concurrently:
/// the last rename wins.
///
/// # Errors
/// Returns an [`io::Error`] if the folder does not exist, the disk is full, or the file system
/// fails in another way. After an error the previous content of `path` is unchanged, with one
/// exception: if the last step, the sync of the folder, fails, `path` already has the new content.
pub fn write_durably(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    write_durably_with(path, access, |out| out.write_all(bytes))
}

/// Replaces the content of `path` with the output of `write`, in the steps of [`write_durably`].
///
/// # Errors
/// Returns the error of `write`, or the [`io::Error`] of the file system converted to `E`.
pub fn write_durably_with<E: From<io::Error>>(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = temporary_in(parent_folder(path), access)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, temporary.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    Ok(persist_durably(temporary, path)?)
}

/// Moves a temporary file to `path`: syncs the file, renames it, and syncs the folder.
///
/// # Errors
/// Returns an [`io::Error`] if the file system fails. The temporary file is then removed.
pub fn persist_durably(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    // The folder is opened before the rename: if it cannot be opened for the sync, the function
    // fails before it replaces anything.
    let folder = File::open(parent_folder(path))?;
    sync_file(temporary.as_file())?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// Creates the folder `path` with the content that `fill` writes, completely or not at all. `fill`
/// receives a temporary folder on the same file system. The files in it are synced before it is
/// renamed to `path`. An empty folder at `path` is replaced.
///
/// # Errors
/// - `DirectoryNotEmpty` if `path` is a folder with entries.
/// - `NotADirectory` if `path` is a file.
/// - The error of `fill`, or another [`io::Error`] of the file system.
pub fn create_folder_durably(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let parent_path = parent_folder(path);
    let parent = File::open(parent_path)?;
    let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent_path)?;
    // `tempdir_in` creates its folder with mode 0700. The folder inside it has the mode of the
    // umask, and is the one that is renamed.
    let unfinished = temporary.path().join("unfinished");
    std::fs::create_dir(&unfinished)?;
    fill(&unfinished)?;
    sync_tree(&unfinished)?;
    std::fs::rename(&unfinished, path)?;
    sync_folder(&parent)
}

/// Creates a folder, and syncs its parent folder.
///
/// # Errors
/// Returns `AlreadyExists` if the path exists, or another [`io::Error`] of the file system.
pub fn create_dir_durably(folder: &Path, access: Access) -> io::Result<()> {
    create_dir(folder, access)?;
    sync_folder(&File::open(parent_folder(folder))?)
}

/// Creates a folder with its missing ancestors, and syncs every folder that gets a new entry.
/// `access` applies to every folder that is created.
///
/// Without these syncs the folder could be lost in a power loss, with all files that were written
/// durably into it.
///
/// # Errors
/// Returns an [`io::Error`] if a folder cannot be created or synced.
pub fn create_dir_all_durably(folder: &Path, access: Access) -> io::Result<()> {
    let parent = parent_folder(folder);
    match create_dir(folder, access) {
        Ok(()) => {}
        // The recursion ends at `.`, which is its own parent here.
        Err(error) if error.kind() == ErrorKind::NotFound && parent != folder => {
            create_dir_all_durably(parent, access)?;
            match create_dir(folder, access) {
                // Another thread or process created the folder in the meantime. It might not have
                // synced the parent yet, so this call syncs the parent as well.
                Err(_) if folder.is_dir() => {}
                created => created?,
            }
        }
        Err(_) if folder.is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    sync_folder(&File::open(parent)?)
}

fn create_dir(folder: &Path, access: Access) -> io::Result<()> {
    let mode = match access {
        Access::Owner => 0o700,
        Access::Umask => 0o777,
    };
    DirBuilder::new().mode(mode).create(folder)
}

/// Returns whether a name belongs to a temporary file or folder of this module. A killed process
/// leaves such files behind.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX)
}

/// Creates an empty file with a unique name and the mode of `access` in a folder.
///
/// The file is opened here and not by `tempfile`, whose errors contain the random name instead of
/// the error code of the system.
fn temporary_in(folder: &Path, access: Access) -> io::Result<NamedTempFile> {
    let mode = match access {
        Access::Owner => 0o600,
        Access::Umask => 0o666,
    };
    tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path))
}

/// Returns the folder of a path, or `.` if the path is only a file name.
fn parent_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs the content of a file to the disk.
fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // On macOS the standard library calls F_FULLFSYNC. Network file systems reject it but
        // support fsync.
        Err(error) if is_unsupported(&error) => Ok(rustix::io::retry_on_intr(|| rustix::fs::fsync(file))?),
        synced => synced,
    }
}

/// Syncs the entries of a folder to the disk. A rename survives a power loss only after this sync.
fn sync_folder(folder: &File) -> io::Result<()> {
    match sync_file(folder) {
        // Some network and virtual file systems cannot sync a folder. The rename has succeeded, so
        // this is not an error.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

/// Syncs all files below a folder, and the entries of the folder, to the disk.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        sync_entry(&entry?)?;
    }
    sync_folder(&File::open(folder)?)
}

fn sync_entry(entry: &DirEntry) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        sync_tree(&entry.path())
    } else if kind.is_file() {
        sync_file(&File::open(entry.path())?)
    } else {
        // A symbolic link has no content: it is stored with the entries of its folder.
        Ok(())
    }
}

/// Returns whether an error means that the file system does not support this kind of sync. Other
/// errors mean that the sync itself failed.
fn is_unsupported(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    [Errno::INVAL, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOTTY]
        .into_iter()
        .any(|unsupported| code == Some(unsupported))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn n_entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_failed_write_keeps_the_previous_content_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_durably(&path, b"old", Access::Owner).unwrap();
        let failed = write_durably_with(&path, Access::Owner, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Other);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(n_entries(folder.path()), 1);
    }

    #[test]
    fn a_failed_rename_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::create_dir(&path).unwrap();
        let error = write_durably(&path, b"x", Access::Umask).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
        assert!(path.is_dir());
        assert_eq!(n_entries(folder.path()), 1);
    }

    #[test]
    fn a_file_for_the_owner_gets_mode_0600_even_if_it_had_another_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write_durably(&path, b"public", Access::Umask).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        write_durably(&path, b"secret", Access::Owner).unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_symbolic_link_is_replaced_and_its_target_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let [target, link] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_durably(&link, b"new", Access::Umask).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read(&link).unwrap(), b"new");
        assert!(link.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn concurrent_writers_leave_one_complete_content_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::thread::scope(|scope| {
            for writer in 0_u8..8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..5 {
                        write_durably(path, &[writer; 10_000], Access::Umask).unwrap();
                    }
                });
            }
        });
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content, vec![content[0]; 10_000]);
        assert_eq!(n_entries(folder.path()), 1);
    }

    #[test]
    fn a_folder_is_complete_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crate");
        let failed = create_folder_durably(&path, |_| Err(io::Error::other("no more")));
        assert!(failed.is_err() && n_entries(folder.path()) == 0);
        create_folder_durably(&path, |inside| {
            std::fs::create_dir(inside.join("src"))?;
            std::os::unix::fs::symlink("nowhere", inside.join("link"))?;
            std::fs::write(inside.join("src/a"), "text")
        })
        .unwrap();
        assert_eq!(std::fs::read(path.join("src/a")).unwrap(), b"text");
        assert_eq!((n_entries(&path), n_entries(folder.path())), (2, 1));
    }

    #[test]
    fn a_folder_with_entries_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crate");
        let create = |text: &'static str| create_folder_durably(&path, |inside| std::fs::write(inside.join("a"), text));
        create("old").unwrap();
        assert_eq!(create("new").unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        assert_eq!(std::fs::read(path.join("a")).unwrap(), b"old");
        assert_eq!(n_entries(folder.path()), 1);
    }

    #[test]
    fn concurrent_calls_create_missing_ancestors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| create_dir_all_durably(&path, Access::Umask).unwrap());
            }
        });
        assert!(path.is_dir());
        std::fs::write(path.join("file"), "x").unwrap();
        let below_a_file = create_dir_all_durably(&path.join("file/d"), Access::Umask).unwrap_err();
        assert_eq!(below_a_file.kind(), ErrorKind::NotADirectory);
    }

    #[test]
    fn new_folders_for_the_owner_get_mode_0700_and_are_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        create_dir_all_durably(&path, Access::Owner).unwrap();
        for created in [&path, path.parent().unwrap()] {
            assert_eq!(std::fs::metadata(created).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert_eq!(create_dir_durably(&path, Access::Owner).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_error_has_the_error_code_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_durably(&folder.path().join("no/a"), b"x", Access::Umask).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::NOENT));
        let error = temporary_in(&folder.path().join("no"), Access::Umask).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::NOENT));
    }

    #[test]
    fn a_temporary_file_is_recognised_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = temporary_in(folder.path(), Access::Umask).unwrap();
        let name = temporary.path().file_name().unwrap().to_str().unwrap();
        assert!(is_temporary(name), "{name}");
        assert!(!is_temporary("oculus.json"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_system_that_cannot_sync_folders_is_not_an_error() {
        // The folders of /proc do not support fsync: the call fails with EINVAL.
        let folder = File::open("/proc").unwrap();
        assert_eq!(Errno::from_io_error(&folder.sync_all().unwrap_err()), Some(Errno::INVAL));
        sync_folder(&folder).unwrap();
    }
}
