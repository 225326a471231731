//! A plugin that a job may use.

use std::path::PathBuf;

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use crate::file_id::FileId;

/// An active generation of a published file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledPlugin {
    /// The published file.
    pub source: PathBuf,
    /// Its private copy, which is the file that is opened.
    pub path: PathBuf,
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
    /// Id of `path` before its bytes were hashed; without it they are hashed again at each start.
    pub file_id: Option<FileId>,
    /// How many times the published file has changed, from 1.
    pub generation: u32,
    /// Folders in which the published file searches for its own shared libraries; the copy is in another folder.
    pub library_dirs: Vec<PathBuf>,
    /// The plugin's description of itself.
    pub manifest: Manifest,
}
