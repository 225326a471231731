//! How the plugins of a job fared: what the worker judges a new generation by.

use serde::{Deserialize, Serialize};

/// One plugin that a job used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// SHA-256 of the library, as hex.
    pub sha256: String,
    /// Whether a process of it died by itself, hung or took too much memory.
    pub died: bool,
}
