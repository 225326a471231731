//! Where an attempt writes its artifacts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where one attempt writes its artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArtifactsPlace {
    /// The artifacts folder of all jobs.
    pub dir: PathBuf,
    /// The attempt's name: the token of its claim, or a time for a job without a queue.
    pub token: String,
}
