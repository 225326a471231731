//! The location of an attempt's artifacts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The location to which one attempt writes its artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArtifactsLocation {
    /// Folder with the artifacts of all jobs.
    pub dir: PathBuf,
    /// Name of the attempt: the fencing token of its lease, or a time if the job does not come from
    /// a queue.
    pub token: String,
}
