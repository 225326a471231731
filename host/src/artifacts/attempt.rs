//! Creates the artifacts folder of one attempt, and writes its files.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use oculus_pipeline::report::{Provenance, Report};
use oculus_system::files::{Access, create_dir_all_durably, create_dir_durably};
use polars::prelude::PolarsResult;
use serde::Serialize;

use super::contents::Contents;
use super::description::{Artifact, DESCRIPTION, EQUITY, EQUITY_CHART, FORMAT_VERSION, PREDICTIONS, REPORT, TRADES};
use super::error::ArtifactError;
use super::folder_name::folder_name;
use super::location::ArtifactsLocation;
use super::store::Store;
use crate::charts::ChartError;

/// The artifacts folder of one attempt. No other attempt writes to this folder.
pub(crate) struct AttemptFolder {
    job_id: String,
    name: String,
    folder: PathBuf,
}

/// The content of `artifact.json`. The provenance is for people; no code reads it back.
#[derive(Serialize)]
struct DescriptionFile<'a> {
    #[serde(flatten)]
    artifact: &'a Artifact,
    provenance: &'a Provenance,
}

impl AttemptFolder {
    /// Creates the folder `<dir>/<job>/<token>`, which only its owner can read. If the folder
    /// exists, a suffix is appended to the token: `-2`, then `-3`, and so on.
    ///
    /// # Errors
    /// Returns [`ArtifactError::Folder`] if a folder cannot be created, for example because a
    /// permission is missing.
    pub(crate) fn create(location: &ArtifactsLocation, job_id: &str) -> Result<Self, ArtifactError> {
        let job_folder = location.dir.join(folder_name(job_id));
        let failed = |path: &Path, source: io::Error| ArtifactError::Folder { path: path.to_owned(), source };
        create_dir_all_durably(&job_folder, Access::Owner).map_err(|error| failed(&job_folder, error))?;
        // Two attempts can have the same token if Redis loses its counter. The attempt that creates
        // the folder owns the name. A separate check whether the folder exists would be a race.
        let mut n_taken = 0_u32;
        loop {
            let name =
                if n_taken == 0 { location.token.clone() } else { format!("{}-{}", location.token, n_taken + 1) };
            let folder = job_folder.join(&name);
            match create_dir_durably(&folder, Access::Owner) {
                Ok(()) => return Ok(Self { job_id: job_id.to_owned(), name, folder }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => n_taken += 1,
                Err(error) => return Err(failed(&folder, error)),
            }
        }
    }

    /// Returns the path of the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes all files. If a file cannot be written, the folder is removed.
    ///
    /// * `written_at`: a UTC time in a text format that sorts by time.
    ///
    /// # Errors
    /// Returns [`ArtifactError`] if a file cannot be encoded or written, for example because the
    /// disk is full.
    pub(crate) fn write(self, contents: &Contents, report: &Report, written_at: &str) -> Result<(), ArtifactError> {
        let artifact = Artifact {
            format_version: FORMAT_VERSION,
            job_id: self.job_id.clone(),
            attempt: self.name.clone(),
            written_at: written_at.to_owned(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            trained: contents.trained.clone(),
        };
        let description = DescriptionFile { artifact: &artifact, provenance: &report.provenance };
        let written = self.write_all(contents, report, &description);
        if written.is_err() {
            // A folder that cannot be removed only wastes disk space. It has no description, so it
            // is never read.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        written
    }

    fn write_all(
        &self,
        contents: &Contents,
        report: &Report,
        description: &DescriptionFile<'_>,
    ) -> Result<(), ArtifactError> {
        let store = Store::open(&self.folder)?;
        for (model, bytes) in contents.trained.models.iter().zip(&contents.bytes) {
            store.write(&model.file, bytes.clone())?;
        }
        store.write(PREDICTIONS, contents.predictions.clone())?;
        if let Some(files) = &contents.equity_files {
            store.write(EQUITY, parquet(&store, EQUITY, files.equity())?)?;
            store.write(TRADES, parquet(&store, TRADES, files.trades())?)?;
            store.write(EQUITY_CHART, chart(&store, EQUITY_CHART, files.equity_chart())?)?;
        }
        store.write(REPORT, json(&store, REPORT, report.to_indented_json())?)?;
        // The description marks a complete folder, so it is written after all other files.
        store.write(DESCRIPTION, json(&store, DESCRIPTION, serde_json::to_vec_pretty(description))?)
    }
}

fn parquet(store: &Store, name: &str, bytes: PolarsResult<Vec<u8>>) -> Result<Vec<u8>, ArtifactError> {
    bytes.map_err(|source| ArtifactError::Parquet { path: store.path(name), source })
}

fn chart(store: &Store, name: &str, svg: Result<String, ChartError>) -> Result<String, ArtifactError> {
    svg.map_err(|source| ArtifactError::Chart { path: store.path(name), source })
}

fn json(store: &Store, name: &str, text: serde_json::Result<Vec<u8>>) -> Result<Vec<u8>, ArtifactError> {
    text.map_err(|source| ArtifactError::Json { path: store.path(name), source })
}
