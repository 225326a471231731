//! The description of the library that a plugin process opens.

use std::path::{Path, PathBuf};

use crate::file_id::FileId;
use crate::installed::InstalledPlugin;

/// A library for a plugin process to open.
#[derive(Clone, Copy, Debug)]
pub struct LibraryRef<'a> {
    /// Name of the plugin in the log.
    pub name: &'a str,
    /// Path of the library.
    pub path: &'a Path,
    /// SHA-256 that the file must have, as hex.
    pub sha256: &'a str,
    /// Id of the file at the time its hash was computed.
    pub file_id: Option<FileId>,
    /// Folders of the shared libraries that it needs.
    pub dirs: &'a [PathBuf],
}

impl<'a> From<&'a InstalledPlugin> for LibraryRef<'a> {
    fn from(plugin: &'a InstalledPlugin) -> Self {
        Self {
            name: &plugin.manifest.id,
            path: &plugin.path,
            sha256: &plugin.sha256,
            file_id: plugin.file_id,
            dirs: &plugin.library_dirs,
        }
    }
}
