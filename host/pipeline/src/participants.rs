//! The plugins that take part in a job, as plain data.
//!
//! The host's selection fills it in, so that the pipeline depends neither on plugins nor on their files.

use oculus_job::warning::Warning;
use serde_json::{Map, Value};

/// The plugins of a job, and the requested plugins that are missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Participants {
    /// Model families; the first leads the config search.
    pub families: Vec<Participant>,
    /// The rule extractor, or the reason why there is none.
    pub extractor: Result<Participant, String>,
    /// Families that the job requests and that are not installed.
    pub skipped: Vec<SkippedFamily>,
    /// Warnings of the selection, for the result.
    pub warnings: Vec<Warning>,
}

/// One plugin of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Its id.
    pub id: String,
    /// Its version, `major.minor.patch`.
    pub version: String,
    /// SHA-256 of its library, lower-case hex.
    pub sha256: String,
    /// Parameters that the job sets, checked, without the manifest's prefix.
    pub params: Map<String, Value>,
    /// Device to fit on: `auto`, `cpu`, or one that the manifest lists.
    pub device: String,
}

/// A model family that the job requests and that is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFamily {
    /// The name or flag that the job gives.
    pub name: String,
    /// Why no installed plugin matches it.
    pub reason: String,
}

impl Participants {
    /// Returns every plugin: the families in their order, then the rule extractor.
    pub fn all(&self) -> impl Iterator<Item = &Participant> {
        self.families.iter().chain(self.extractor.as_ref().ok())
    }
}
