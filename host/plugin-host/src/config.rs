//! Settings of the plugin host. The code that reads the settings also validates them.

use std::path::PathBuf;

use crate::limits::Limits;

/// The folders of the plugin host, the rule that decides which libraries may be opened, and the
/// limits of plugin processes.
#[derive(Clone, Debug)]
pub struct PluginsConfig {
    /// Folder in which plugins are published.
    pub dir: PathBuf,
    /// Folder of the private store and the journal.
    pub state_dir: PathBuf,
    /// The rule that decides which libraries may be opened.
    pub trust: Trust,
    /// Limits of each plugin process.
    pub limits: Limits,
}

/// The rule that decides which libraries may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All libraries in the plugins folder.
    Any,
    /// Only the libraries whose SHA-256 this file lists.
    Listed(PathBuf),
}
