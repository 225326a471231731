//! The description of a plugin that a job may use.

use std::path::PathBuf;

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use crate::file_id::FileId;

/// An active generation of a published file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledPlugin {
    /// Path of the published file.
    pub source: PathBuf,
    /// Path of the private copy, which is the file that is opened.
    pub path: PathBuf,
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
    /// Id of the private copy, taken before its bytes were hashed. If it is `None`, the bytes are
    /// hashed at each start.
    pub file_id: Option<FileId>,
    /// Number of the generation, from 1.
    pub generation: u32,
    /// Folders in which the published file searches for the shared libraries that it needs. They
    /// are listed because the copy is in another folder.
    pub library_dirs: Vec<PathBuf>,
    /// The plugin's manifest.
    pub manifest: Manifest,
}
