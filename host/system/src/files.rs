//! Files that survive a crash: each is complete under its name or keeps its previous content.
//!
//! In: a path and what to write there. Out: the file or folder, on the disk.
//! Invariant: the bytes reach the disk before the name does, and the name before the caller continues. A rename without
//! syncing the file first may leave an empty file after a power loss; one without syncing the folder may vanish.

use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Prefix and suffix of temporary files.
const TEMPORARY_PREFIX: &str = ".oculus-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Who may read a new file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the user that runs this process.
    Owner,
    /// Every user that the process's umask admits.
    Umask,
}

/// Replaces the content of `path` by `bytes`: writes a temporary file next to it, syncs it, renames it, syncs the folder.
///
/// The file gets the mode of `access`, also if it existed with another one. A symbolic link is
/// replaced, not followed. Several threads or processes may write one path at the same time: the
/// last rename wins.
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
    let temporary = temporary_in(folder_of(path), access)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, temporary.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    Ok(persist_durably(temporary, path)?)
}

/// Renames a temporary file to `path`: syncs the file, renames it, syncs the folder.
///
/// # Errors
/// The file system's; the temporary file is then removed.
pub fn persist_durably(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    // Opened first: a folder that cannot be opened for the sync is an error before anything is
    // replaced.
    let folder = File::open(folder_of(path))?;
    sync_file(temporary.as_file())?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// Creates the folder `path` complete or not at all: `fill` writes into a temporary folder next to
/// it, whose files are synced and which is renamed.
///
/// # Errors
/// The file system's, and those of `fill`; `DirectoryNotEmpty` if there is such a folder with
/// entries, `NotADirectory` if there is such a file. An empty folder is replaced.
pub fn create_folder_durably(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let parent_path = folder_of(path);
    let parent = File::open(parent_path)?;
    let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent_path)?;
    // A folder of its own, since the temporary one is closed to all other users.
    let unfinished = temporary.path().join("unfinished");
    std::fs::create_dir(&unfinished)?;
    fill(&unfinished)?;
    sync_tree(&unfinished)?;
    std::fs::rename(&unfinished, path)?;
    sync_folder(&parent)
}

/// Creates a folder, and syncs the one that contains it.
///
/// # Errors
/// The file system's, `AlreadyExists` if there is an entry of this name.
pub fn create_dir_durably(folder: &Path, access: Access) -> io::Result<()> {
    create_dir(folder, access)?;
    sync_folder(&File::open(folder_of(folder))?)
}

/// Creates a folder with its missing ancestors, and syncs every folder that gets a new entry.
///
/// Without the syncs, a file that was written durably into the folder may vanish with it. `access`
/// applies to every folder that is created.
///
/// # Errors
/// The file system's.
pub fn create_dir_all_durably(folder: &Path, access: Access) -> io::Result<()> {
    let parent = folder_of(folder);
    match create_dir(folder, access) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound && parent != folder => {
            create_dir_all_durably(parent, access)?;
            match create_dir(folder, access) {
                // Another thread or process has created it in the meantime.
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

/// Returns whether a file name is one of this module's temporary files or folders, which a killed
/// process leaves behind.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX)
}

/// Creates an empty file with a name that no other file of the folder has, and with the mode of
/// `access`.
///
/// The file is opened here, not by `tempfile`, whose errors would state the random name in place of
/// the system's code.
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

/// Returns the folder of a file, `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file's content to the disk.
fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // On macOS the standard library calls F_FULLFSYNC, which network file systems reject; they
        // have fsync.
        Err(error) if is_unsupported(&error) => Ok(rustix::io::retry_on_intr(|| rustix::fs::fsync(file))?),
        synced => synced,
    }
}

/// Writes a folder's entries to the disk: a rename lasts only then.
fn sync_folder(folder: &File) -> io::Result<()> {
    match sync_file(folder) {
        // Some network and virtual file systems cannot sync a folder at all; the rename itself has
        // succeeded.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

/// Writes all files below a folder and its own entries to the disk.
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
        // A symbolic link is an entry of its folder.
        Ok(())
    }
}

/// Returns whether a file system rejects the kind of sync, rather than having failed at it.
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
    fn a_file_for_the_owner_is_closed_to_others_also_if_it_was_open_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write_durably(&path, b"public", Access::Umask).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        write_durably(&path, b"secret", Access::Owner).unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
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
    fn writers_of_one_path_leave_one_complete_content_and_no_temporary_file() {
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
    fn missing_ancestors_are_created_once() {
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
    fn every_new_folder_for_the_owner_is_closed_to_others_and_is_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        create_dir_all_durably(&path, Access::Owner).unwrap();
        for created in [&path, path.parent().unwrap()] {
            assert_eq!(std::fs::metadata(created).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert_eq!(create_dir_durably(&path, Access::Owner).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_error_has_the_code_of_the_system() {
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
    fn a_file_system_that_cannot_sync_folders_is_no_error() {
        // The folders of /proc have no fsync: the system answers EINVAL.
        let folder = File::open("/proc").unwrap();
        assert_eq!(Errno::from_io_error(&folder.sync_all().unwrap_err()), Some(Errno::INVAL));
        sync_folder(&folder).unwrap();
    }
}
