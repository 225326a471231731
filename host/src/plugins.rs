//! Plugins as the host sees them: found, described, selected by a job, run in processes of their own.
//!
//! Invariant: only a plugin process loads a library ([`loader`]), and exactly one; the worker and the job process never
//! do.

use std::path::PathBuf;

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

pub mod discover;
pub mod gpu;
pub mod loader;
pub mod predictor;
pub mod process;
pub mod protocol;
pub mod selection;
pub mod serve;
pub mod session;
pub mod table;
pub mod telling;

/// One plugin that a job may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledPlugin {
    /// The library file.
    pub path: PathBuf,
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
    /// What the plugin says of itself.
    pub manifest: Manifest,
}
