//! A snapshot of the published files of a plugins folder: the active build of each file, and the
//! reason why a newer build is not active.

use std::path::PathBuf;

use super::generations::Generations;
use crate::discover::RefusedLibrary;
use crate::installed::InstalledPlugin;

/// All published files of the folder. A job keeps the snapshot with which it started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// One entry per file, sorted by path.
    pub entries: Vec<FileEntry>,
}

/// One published file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileEntry {
    /// Path of the published file.
    pub path: PathBuf,
    /// SHA-256 of the file's current bytes, as hex; `None` until they have been read.
    pub sha256: Option<String>,
    /// The active generation of the file, if any.
    pub plugin: Option<InstalledPlugin>,
    /// State of the file's current bytes.
    pub state: FileState,
    /// All generations of the file.
    pub generations: Generations,
}

/// The state of a file's current bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The bytes are the active generation.
    Active,
    /// The file is being written or examined; the previous generation stays active.
    Pending,
    /// The build failed its examination or was withdrawn, and it is not examined again. The
    /// previous generation stays active.
    Quarantined {
        /// The reason, in at most three lines.
        reason: String,
    },
    /// The build is not trusted or cannot be used at present; the examination is retried.
    Refused {
        /// The reason, in at most three lines.
        reason: String,
    },
}

impl FileState {
    /// Returns the name that `plugin list` prints for the state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused { .. } => "refused",
        }
    }

    /// Returns why the file's current bytes are not active.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Quarantined { reason } | Self::Refused { reason } => Some(reason),
            Self::Active | Self::Pending => None,
        }
    }
}

impl Snapshot {
    /// Returns the active plugins, sorted by id.
    pub fn plugins(&self) -> Vec<InstalledPlugin> {
        let mut plugins: Vec<_> = self.entries.iter().filter_map(|entry| entry.plugin.clone()).collect();
        plugins.sort_by(|a, b| (&a.manifest.id, &a.source).cmp(&(&b.manifest.id, &b.source)));
        plugins
    }

    /// Returns each file without an active generation, with the reason.
    pub fn refused(&self) -> Vec<RefusedLibrary> {
        let inactive = self.entries.iter().filter(|entry| entry.plugin.is_none());
        let reason = |entry: &FileEntry| entry.state.reason().map(str::to_owned);
        inactive.filter_map(|entry| Some(RefusedLibrary { path: entry.path.clone(), reason: reason(entry)? })).collect()
    }
}
