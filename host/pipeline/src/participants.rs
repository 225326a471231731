//! The plugins of a job, as plain data.
//!
//! The host selects the plugins, so that the pipeline depends neither on plugins nor on their
//! files.

use oculus_job::warning::Warning;
use serde_json::{Map, Value};

/// The plugins of a job, and the requested plugins that are missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Participants {
    /// Model families. The first one is the lead family, which the config search uses.
    pub families: Vec<Participant>,
    /// Family that is fitted as a baseline for comparison, if one is installed and the job does not
    /// request it as a family.
    pub baseline: Option<Participant>,
    /// Rule extractor, or the reason why the job has none.
    pub extractor: Result<Participant, String>,
    /// Families that the job requests and that are not installed.
    pub skipped: Vec<SkippedFamily>,
    /// Warnings of the selection, for the result.
    pub warnings: Vec<Warning>,
}

/// One plugin of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Id of the plugin.
    pub id: String,
    /// Version of the plugin, `major.minor.patch`.
    pub version: String,
    /// SHA-256 of the plugin's library, in lower-case hex.
    pub sha256: String,
    /// Checked parameters that the job sets, without the manifest's prefix.
    pub params: Map<String, Value>,
    /// Device to fit on: `auto`, `cpu`, or a device that the manifest lists.
    pub device: String,
}

/// A model family that the job requests and that is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFamily {
    /// Name or flag that the job uses for the family.
    pub name: String,
    /// Reason why no installed plugin matches.
    pub reason: String,
}

impl Participants {
    /// Returns all plugins: the families in their order, the baseline, then the rule extractor.
    pub fn all(&self) -> impl Iterator<Item = &Participant> {
        self.fitted().chain(self.extractor.as_ref().ok())
    }

    /// Returns the plugins that are fitted: the families in their order, then the baseline.
    pub fn fitted(&self) -> impl Iterator<Item = &Participant> {
        self.families.iter().chain(&self.baseline)
    }
}
