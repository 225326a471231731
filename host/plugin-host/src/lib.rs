//! Plugins as the host sees them: found, described, selected by a job, run in processes of their own.
//!
//! Invariant: only a plugin process loads a library ([`loader`]), and exactly one; the worker and the job process never
//! do.

use std::path::PathBuf;

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use self::process::Library;
use self::stamp::Stamp;

pub mod catalog;
pub mod config;
pub mod discover;
pub mod format;
pub mod gpu;
pub mod limits;
pub mod loader;
pub mod memory;
pub mod predictor;
pub mod probe;
pub mod process;
pub mod protocol;
pub mod selection;
pub mod serve;
pub mod session;
pub mod stamp;
pub mod store;
pub mod table;
pub mod telling;
pub mod trust;
pub mod usage;

/// One plugin that a job may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledPlugin {
    /// The file that was published.
    pub source: PathBuf,
    /// Its private copy, which is what is opened.
    pub path: PathBuf,
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
    /// The stamp of `path` before its bytes were hashed; without it they are hashed again at each start.
    pub stamp: Option<Stamp>,
    /// How many times its file has changed, from 1.
    pub generation: u32,
    /// Where the published file says that its own shared libraries are; the copy lies elsewhere.
    pub library_dirs: Vec<PathBuf>,
    /// What the plugin says of itself.
    pub manifest: Manifest,
}

impl InstalledPlugin {
    /// Its library, as a process of it needs it.
    pub fn library(&self) -> Library<'_> {
        Library {
            name: &self.manifest.id,
            path: &self.path,
            sha256: &self.sha256,
            stamp: self.stamp,
            dirs: &self.library_dirs,
        }
    }
}
