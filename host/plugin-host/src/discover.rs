//! Finds the libraries in a plugins folder without opening them.
//!
//! The libraries are `DIR/<id>/lib*.so` and `DIR/lib*.so` (`.dylib` on macOS). In a build folder of
//! cargo, only `DIR/lib*.so` are used, because the subfolders contain the results of older builds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A library that cannot be used as a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLibrary {
    /// Path of the library.
    pub path: PathBuf,
    /// The reason why the library cannot be used.
    pub reason: String,
}

/// Returns the full path of every library in the folder, sorted.
///
/// # Errors
/// Returns an error if the folder cannot be read.
pub fn libraries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for folder in folders(folder)? {
        // A subfolder that cannot be read must not hide the plugins in other subfolders.
        libraries.extend(entries(&folder).unwrap_or_default().into_iter().filter(|path| is_library(path)));
    }
    libraries.sort();
    Ok(libraries)
}

/// Returns the full paths of the folder and of its subfolders that may contain plugins.
///
/// # Errors
/// Returns an error if the folder cannot be read.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |folder: &Path| -> io::Result<_> {
        let folder = folder.canonicalize()?;
        let subfolders = entries(&folder)?;
        Ok((folder, subfolders))
    };
    let (folder, subfolders) = read(folder).with_context(|| {
        let folder = folder.display();
        format!(
            "cannot read the plugins folder `{folder}`; publish plugins there, or pass another folder with --plugins"
        )
    })?;
    // Cargo creates this folder in `target/debug` and `target/release`.
    let is_build_folder = folder.join(".fingerprint").is_dir();
    let subfolders = subfolders.into_iter().filter(|path| !is_build_folder && path.is_dir());
    Ok(std::iter::once(folder).chain(subfolders).collect())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Returns whether a path is a regular file with the name of a library.
fn is_library(path: &Path) -> bool {
    // A name that is not UTF-8 or contains control characters cannot be shown faithfully in a log.
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    !name.contains(char::is_control)
        && name.starts_with("lib")
        && name.ends_with(std::env::consts::DLL_SUFFIX)
        && path.is_file()
}
