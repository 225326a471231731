//! The cache's access to the file system, with the path in every error.
//!
//! In: paths and bytes. Out: files that are complete or absent, and names. Invariant: every error
//! is a [`PolygonError::Cache`] that names its file or folder.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::Path;

use oculus_system::files::{Access, create_dir_all_durably, is_temporary, write_durably};

use super::error::{PolygonError, cache_error};

/// Ending of the temporary files of earlier versions.
const OLD_TEMPORARY_ENDING: &str = ".tmp";

/// Replaces a file durably. The caller has locked the folder.
///
/// # Errors
/// The file system's.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PolygonError> {
    write_durably(path, bytes, Access::Umask).map_err(cache_error(path))
}

/// Creates a folder with its missing ancestors, durably.
///
/// # Errors
/// The file system's.
pub(crate) fn create_folder(path: &Path) -> Result<(), PolygonError> {
    create_dir_all_durably(path, Access::Umask).map_err(cache_error(path))
}

/// Removes a folder with its content, if it exists.
///
/// # Errors
/// The file system's.
pub(crate) fn remove_folder(path: &Path) -> Result<(), PolygonError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cache_error(path)(error)),
        _ => Ok(()),
    }
}

/// Returns the names in a folder, sorted; none if the folder does not exist.
///
/// # Errors
/// The file system's.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, PolygonError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cache_error(folder))?,
    };
    let name = |entry: io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<io::Result<Vec<_>>>().map_err(cache_error(folder))?;
    names.sort();
    Ok(names)
}

/// Returns whether a killed process has left a file of this name behind, unfinished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    is_temporary(name) || name.ends_with(OLD_TEMPORARY_ENDING)
}
