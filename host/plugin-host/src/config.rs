//! Settings of the plugin host. The caller that reads them checks them.

use std::path::PathBuf;

use crate::limits::Limits;

/// Where plugins are, which of them may be opened, and what their processes may use.
#[derive(Clone, Debug)]
pub struct PluginsConfig {
    /// Folder of plugins.
    pub dir: PathBuf,
    /// Folder of the private store and the journal.
    pub state_dir: PathBuf,
    /// Which libraries may be opened.
    pub trust: Trust,
    /// What each plugin process may use.
    pub limits: Limits,
}

/// Which libraries may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All that lie in the folder of plugins.
    Any,
    /// Only those whose SHA-256 this file lists.
    Listed(PathBuf),
}
