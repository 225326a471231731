//! File system operations of the cache.
//!
//! In: paths and bytes. Out: written files, each complete or absent, and lists of file names.
//! Invariant: every error is a [`PolygonError::Cache`] that names the file or folder.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::Path;

use oculus_system::files::{Access, create_dir_all_durably, is_temporary, write_durably};

use super::error::{PolygonError, cache_error};

/// Suffix of the temporary files that earlier versions of the program wrote.
const OLD_TEMPORARY_ENDING: &str = ".tmp";

/// Replaces a file durably. The caller must have locked the folder.
///
/// # Errors
/// Returns [`PolygonError::Cache`] if the file cannot be written.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PolygonError> {
    write_durably(path, bytes, Access::Umask).map_err(cache_error(path))
}

/// Durably creates a folder and its missing ancestors.
///
/// # Errors
/// Returns [`PolygonError::Cache`] if a folder cannot be created.
pub(crate) fn create_folder(path: &Path) -> Result<(), PolygonError> {
    create_dir_all_durably(path, Access::Umask).map_err(cache_error(path))
}

/// Removes a folder with its content, if it exists.
///
/// # Errors
/// Returns [`PolygonError::Cache`] if the folder cannot be removed.
pub(crate) fn remove_folder(path: &Path) -> Result<(), PolygonError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cache_error(path)(error)),
        _ => Ok(()),
    }
}

/// Returns the names of the entries in a folder, sorted. The list is empty if the folder does not
/// exist.
///
/// # Errors
/// Returns [`PolygonError::Cache`] if the folder cannot be read.
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

/// Returns whether a name belongs to an unfinished file, which a killed process left behind.
pub(crate) fn is_unfinished(name: &str) -> bool {
    is_temporary(name) || name.ends_with(OLD_TEMPORARY_ENDING)
}
