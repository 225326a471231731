//! Why an artifact cannot be written or used.

use std::io;
use std::path::PathBuf;

use polars::prelude::PolarsError;

use super::description::{DESCRIPTION, FORMAT_VERSION};
use crate::charts::ChartError;

/// What was found, what was needed, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// The folder of an attempt cannot be made.
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
    /// Something cannot be written as JSON, or read from it.
    #[error("`{path}` cannot be written or read as JSON of an artifact")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Something cannot be written as Parquet.
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
    /// No artifact where one was looked for.
    #[error(
        "no artifact of `{job}`: {found}; name a job that was trained here (ARTIFACTS_DIR), or a folder that holds {DESCRIPTION}"
    )]
    Missing {
        /// What was asked for.
        job: String,
        /// What is there instead.
        found: String,
    },
    /// No such model.
    #[error("no model `{asked}` in `{folder}`; it holds {there}")]
    NoModel {
        /// The name asked for.
        asked: String,
        /// The artifact.
        folder: PathBuf,
        /// The models that there are.
        there: String,
    },
    /// A model that is not the one described.
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
