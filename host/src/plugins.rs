//! Plugins as the host sees them: found, described, run in processes of their own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One plugin generation that a job may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstalledPlugin {
    /// The plugin's id, such as `lightgbm`.
    pub id: String,
    /// The library file.
    pub path: PathBuf,
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
}
