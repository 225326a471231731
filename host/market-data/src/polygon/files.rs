//! Files that are whole or not there, whatever ends the process meanwhile.

use std::io;
use std::path::Path;

use oculus_system::files::{Access, write_durably};

use super::trouble::{Trouble, cache};

/// Ending of temporary files, of which a killed process leaves some behind.
pub(crate) const UNFINISHED: &str = "tmp";

/// Replaces a file durably. The caller has the folder locked.
///
/// # Errors
/// The file system's.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    write_durably(path, bytes, Access::Umask).map_err(cache(path))
}

/// Removes a folder with all that is in it, if it is there.
///
/// # Errors
/// The file system's.
pub(crate) fn remove_folder(path: &Path) -> Result<(), Trouble> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cache(path)(error)),
        _ => Ok(()),
    }
}

/// The names in a folder, in order; none where there is no folder.
///
/// # Errors
/// The file system's.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Trouble> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cache(folder))?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<io::Result<Vec<_>>>().map_err(cache(folder))?;
    names.sort();
    Ok(names)
}
