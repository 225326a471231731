//! What a folder of plugins comes to at one moment: what serves, what does not, and why.

use std::path::PathBuf;

use serde::Serialize;

use super::generations::Generations;
use crate::InstalledPlugin;
use crate::discover::Refused;

/// All files of the folder, and what they come to. A job keeps the one that it began with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// One a file, by path.
    pub entries: Vec<Entry>,
}

/// One published file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The published file.
    pub path: PathBuf,
    /// SHA-256 of its content, as hex, where it has been read.
    pub sha256: Option<String>,
    /// What serves of it.
    pub plugin: Option<InstalledPlugin>,
    /// Whether its content serves.
    pub state: State,
    /// What has served of it.
    pub generations: Generations,
}

/// Whether the content of a file serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It does.
    Serves,
    /// It is being written or examined; what served before still does.
    Pending,
    /// It failed its examination or was taken back, for good; what served before still does.
    Quarantined {
        /// Why, in at most three lines.
        reason: String,
    },
    /// It may not, or cannot for now; it is tried again.
    Refused {
        /// Why, in at most three lines.
        reason: String,
    },
}

impl State {
    /// As lists show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Pending => "pending",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused { .. } => "refused",
        }
    }

    /// Why it does not serve.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Quarantined { reason } | Self::Refused { reason } => Some(reason),
            Self::Serves | Self::Pending => None,
        }
    }
}

impl Snapshot {
    /// The plugins that serve, by id.
    pub fn plugins(&self) -> Vec<InstalledPlugin> {
        let mut plugins: Vec<_> = self.entries.iter().filter_map(|entry| entry.plugin.clone()).collect();
        plugins.sort_by(|a, b| (&a.manifest.id, &a.source).cmp(&(&b.manifest.id, &b.source)));
        plugins
    }

    /// The files of which nothing serves, and why.
    pub fn refused(&self) -> Vec<Refused> {
        let without = self.entries.iter().filter(|entry| entry.plugin.is_none());
        let told = without.filter_map(|entry| Some((entry.path.clone(), entry.state.reason()?.to_owned())));
        told.map(|(path, reason)| Refused { path, reason }).collect()
    }
}
