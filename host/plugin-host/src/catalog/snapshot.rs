//! The published files of a plugins folder at one moment: which content of each is active, and why another is not.

use std::path::PathBuf;

use super::generations::Generations;
use crate::discover::Refused;
use crate::installed::InstalledPlugin;

/// All files of the folder. A job keeps the snapshot that it began with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// One entry per file, by path.
    pub entries: Vec<FileEntry>,
}

/// One published file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileEntry {
    /// The published file.
    pub path: PathBuf,
    /// SHA-256 of its content, as hex, once it has been read.
    pub sha256: Option<String>,
    /// Its active generation.
    pub plugin: Option<InstalledPlugin>,
    /// Whether its content is the active generation.
    pub state: FileState,
    /// All its generations.
    pub generations: Generations,
}

/// Whether the content of a file is its active generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is.
    Active,
    /// It is being written or examined; the generation before stays active.
    Pending,
    /// It failed its examination or was withdrawn, for good; the generation before stays active.
    Quarantined {
        /// Why, in at most three lines.
        reason: String,
    },
    /// It is not trusted, or cannot be used for now; it is tried again.
    Refused {
        /// Why, in at most three lines.
        reason: String,
    },
}

impl FileState {
    /// Returns the name that `plugin list` shows.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Active => "serves",
            Self::Pending => "pending",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused { .. } => "refused",
        }
    }

    /// Returns why the content is not active.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Quarantined { reason } | Self::Refused { reason } => Some(reason),
            Self::Active | Self::Pending => None,
        }
    }
}

impl Snapshot {
    /// Returns the active plugins, by id.
    pub fn plugins(&self) -> Vec<InstalledPlugin> {
        let mut plugins: Vec<_> = self.entries.iter().filter_map(|entry| entry.plugin.clone()).collect();
        plugins.sort_by(|a, b| (&a.manifest.id, &a.source).cmp(&(&b.manifest.id, &b.source)));
        plugins
    }

    /// Returns the files without an active generation, and why.
    pub fn refused(&self) -> Vec<Refused> {
        let inactive = self.entries.iter().filter(|entry| entry.plugin.is_none());
        let reason = |entry: &FileEntry| entry.state.reason().map(str::to_owned);
        inactive.filter_map(|entry| Some(Refused { path: entry.path.clone(), reason: reason(entry)? })).collect()
    }
}
