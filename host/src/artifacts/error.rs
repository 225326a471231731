//! Why an artifact cannot be written or used.

use std::io;
use std::path::PathBuf;

use polars::prelude::PolarsError;

use super::description::{DESCRIPTION, FORMAT_VERSION};
use crate::charts::ChartError;

/// Why an artifact cannot be written or used: what was found, what was needed, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// The folder of an attempt cannot be created.
    #[error(
        "the artifacts folder `{path}` cannot be made or opened; free space, or set ARTIFACTS_DIR to another folder"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file system refuses.
    #[error("`{path}` cannot be {verb}")]
    Store {
        /// The file.
        path: PathBuf,
        /// `written` or `read`.
        verb: &'static str,
        /// The system's reason.
        source: object_store::Error,
    },
    /// A file cannot be written or read as JSON.
    #[error("`{path}` cannot be written or read as JSON of an artifact")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A file cannot be written as Parquet.
    #[error("`{path}` cannot be written as Parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PolarsError,
    },
    /// A chart cannot be drawn.
    #[error("`{path}` cannot be drawn")]
    Chart {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ChartError,
    },
    /// Written by a later version of this program.
    #[error("`{path}` has format {found}, this version reads up to {FORMAT_VERSION}: update oculus-host")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The job has no artifact.
    #[error(
        "no artifact of `{job}`: {found}; name a job that was trained here (ARTIFACTS_DIR), or a folder that holds {DESCRIPTION}"
    )]
    Missing {
        /// The requested job.
        job: String,
        /// What exists instead.
        found: String,
    },
    /// The artifact has no such model.
    #[error("no model `{asked}` in `{folder}`; it holds {there}")]
    NoModel {
        /// The requested name.
        asked: String,
        /// The artifact.
        folder: PathBuf,
        /// The models that exist.
        there: String,
    },
    /// The file of a model differs from its description.
    #[error(
        "`{path}` has been changed since it was written: SHA-256 {found}, {DESCRIPTION} says {needed}; restore the file, or train again"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// What it should be.
        needed: String,
    },
}
