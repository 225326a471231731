//! The errors of writing and reading artifacts.

use std::io;
use std::path::PathBuf;

use polars::prelude::PolarsError;

use super::description::{DESCRIPTION, FORMAT_VERSION};
use crate::charts::ChartError;

/// The reason why an artifact cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// The folder of an attempt cannot be created.
    #[error("cannot create or open the artifacts folder `{path}`; free space, or set ARTIFACTS_DIR to another folder")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written or read.
    #[error("cannot {verb} `{path}`")]
    Store {
        /// The file.
        path: PathBuf,
        /// The operation that failed: `open`, `write` or `read`.
        verb: &'static str,
        /// The cause.
        source: object_store::Error,
    },
    /// A file cannot be encoded or parsed as JSON.
    #[error("cannot encode or parse `{path}` as JSON of an artifact")]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A file cannot be encoded as Parquet.
    #[error("cannot encode `{path}` as Parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: PolarsError,
    },
    /// A chart cannot be drawn.
    #[error("cannot draw `{path}`")]
    Chart {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ChartError,
    },
    /// The artifact was written by a later version of this program.
    #[error("invalid format of `{path}`: found version {found}, expected at most {FORMAT_VERSION}; update oculus-host")]
    NewerFormat {
        /// The description file.
        path: PathBuf,
        /// Version of its format.
        found: u32,
    },
    /// The job has no artifact.
    #[error("no artifact of `{job}`: {found}; name a job in ARTIFACTS_DIR, or a folder that contains {DESCRIPTION}")]
    Missing {
        /// The requested job.
        job: String,
        /// A sentence that states which folders and attempts exist.
        found: String,
    },
    /// The artifact does not contain the requested model.
    #[error("no model `{requested}` in `{folder}`; it contains {available}")]
    NoModel {
        /// The requested name.
        requested: String,
        /// Folder of the artifact.
        folder: PathBuf,
        /// The models of the artifact.
        available: String,
    },
    /// The file of a model does not have the hash that the artifact's description states.
    #[error(
        "`{path}` was changed after it was written: found SHA-256 {found}, expected {expected} from {DESCRIPTION}; restore the file, or train again"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// SHA-256 of the file.
        found: String,
        /// SHA-256 in the description.
        expected: String,
    },
}
