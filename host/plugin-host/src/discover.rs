//! Finds the libraries of a folder of plugins; none is opened.
//!
//! `DIR/<id>/lib*.so` and `DIR/lib*.so` (`.dylib` on macOS) are looked at. In a build folder of cargo only the latter: its
//! subfolders hold what older builds left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A library that is no usable plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// What was found and needed.
    pub reason: String,
}

/// Every library of the folder, by full path, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn libraries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for folder in folders(folder)? {
        // A folder below that cannot be read holds no plugin for us.
        libraries.extend(entries(&folder).unwrap_or_default().into_iter().filter(|path| is_library(path)));
    }
    libraries.sort();
    Ok(libraries)
}

/// The folder itself, by its full path, and those below it that may hold plugins.
///
/// # Errors
/// When the folder cannot be read.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |folder: &Path| -> io::Result<_> {
        let folder = folder.canonicalize()?;
        let below = entries(&folder)?;
        Ok((folder, below))
    };
    let (folder, below) = read(folder).with_context(|| {
        let folder = folder.display();
        format!("plugins folder `{folder}` cannot be read; publish plugins there or name another by --plugins")
    })?;
    let is_build_folder = folder.join(".fingerprint").is_dir();
    let below = below.into_iter().filter(|path| !is_build_folder && path.is_dir());
    Ok(std::iter::once(folder).chain(below).collect())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// A file by its name; a pipe or a folder of that name is none.
fn is_library(path: &Path) -> bool {
    // A name that no log could show as it is may be anything.
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    !name.contains(char::is_control)
        && name.starts_with("lib")
        && name.ends_with(std::env::consts::DLL_SUFFIX)
        && path.is_file()
}
