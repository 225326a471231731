//! Finds a saved artifact by its job id or its folder, and reads it.

use std::path::{Path, PathBuf};

use oculus_job::hash::sha256_hex;

use super::description::{Artifact, DESCRIPTION, FORMAT_VERSION, SavedModel};
use super::error::ArtifactError;
use super::folder_name::folder_name;
use super::store::Store;

/// A complete artifact on disk.
#[derive(Clone, Debug)]
pub(crate) struct SavedArtifact {
    /// Folder of the artifact.
    pub folder: PathBuf,
    /// Content of `artifact.json`.
    pub artifact: Artifact,
}

impl SavedArtifact {
    /// Finds an artifact.
    ///
    /// * `job`: the folder of an artifact, or the id of a job.
    /// * `attempt`: the name of an attempt at the job; `None` selects the newest complete attempt.
    ///
    /// # Errors
    /// Returns [`ArtifactError::Missing`] if there is no such artifact, or an error of
    /// [`SavedArtifact::open`] if the named artifact cannot be read.
    pub(crate) fn find(artifacts_dir: &Path, job: &str, attempt: Option<&str>) -> Result<Self, ArtifactError> {
        let as_folder = Path::new(job);
        // A job id may look like a path, so `job` is taken for a folder only if that folder
        // contains a description.
        if attempt.is_none() && as_folder.join(DESCRIPTION).is_file() {
            return Self::open(as_folder);
        }
        let job_folder = artifacts_dir.join(folder_name(job));
        let names = attempts_in(&job_folder);
        let is_requested = |name: &&String| attempt.is_none_or(|attempt| attempt == *name);
        let complete = names
            .iter()
            .filter(is_requested)
            .map(|name| job_folder.join(name))
            .filter(|folder| folder.join(DESCRIPTION).is_file());
        let mut newest: Option<Self> = None;
        for folder in complete {
            let saved = match Self::open(&folder) {
                Ok(saved) => saved,
                // This attempt is skipped, because another one may be readable.
                Err(error) if attempt.is_none() => {
                    tracing::warn!("attempt skipped: {:#}", anyhow::Error::from(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            // On a file system that ignores case, the attempts of two jobs can be in one folder.
            if saved.artifact.job_id == job && newest.as_ref().is_none_or(|newest| newest.sort_key() < saved.sort_key())
            {
                newest = Some(saved);
            }
        }
        newest.ok_or_else(|| {
            let found = match (names.as_slice(), attempt) {
                ([], _) => format!("there is no folder {}", job_folder.display()),
                (names, None) => format!("no attempt in {} is complete ({})", job_folder.display(), names.join(", ")),
                (names, Some(attempt)) => {
                    format!("no complete attempt `{attempt}` in {}, found {}", job_folder.display(), names.join(", "))
                }
            };
            ArtifactError::Missing { job: job.to_owned(), found }
        })
    }

    /// Reads the artifact in a folder.
    ///
    /// # Errors
    /// Returns [`ArtifactError`] if the description cannot be read or parsed, or if a later version
    /// wrote it.
    pub(crate) fn open(folder: &Path) -> Result<Self, ArtifactError> {
        /// The version is parsed before the rest, because a later version may change every other
        /// field.
        #[derive(serde::Deserialize)]
        struct Version {
            format_version: u32,
        }
        let store = Store::open(folder)?;
        let bytes = store.read(DESCRIPTION)?;
        let path = store.path(DESCRIPTION);
        let broken = |source| ArtifactError::Json { path: path.clone(), source };
        let Version { format_version: found } = serde_json::from_slice(&bytes).map_err(broken)?;
        if found > FORMAT_VERSION {
            return Err(ArtifactError::NewerFormat { path, found });
        }
        let artifact = serde_json::from_slice(&bytes).map_err(broken)?;
        Ok(Self { folder: folder.to_owned(), artifact })
    }

    /// Returns a model by the id or the title of its plugin, or the ensemble, ignoring case; `None`
    /// selects the winner.
    ///
    /// # Errors
    /// Returns [`ArtifactError::NoModel`] if no model has that name.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<&SavedModel, ArtifactError> {
        let trained = &self.artifact.trained;
        let name = name.unwrap_or(&trained.winner);
        let has_name =
            |model: &&SavedModel| [&model.plugin, &model.title].iter().any(|known| known.eq_ignore_ascii_case(name));
        trained.models.iter().find(has_name).ok_or_else(|| {
            let available: Vec<_> =
                trained.models.iter().map(|model| format!("{} ({})", model.plugin, model.title)).collect();
            ArtifactError::NoModel {
                requested: name.to_owned(),
                folder: self.folder.clone(),
                available: available.join(", "),
            }
        })
    }

    /// Returns the bytes of a model, and checks that they are unchanged.
    ///
    /// # Errors
    /// Returns [`ArtifactError::Store`] if the file cannot be read, and [`ArtifactError::Changed`]
    /// if its hash differs.
    pub(crate) fn bytes(&self, model: &SavedModel) -> Result<Vec<u8>, ArtifactError> {
        let store = Store::open(&self.folder)?;
        let bytes = store.read(&model.file)?;
        let found = sha256_hex(&bytes);
        if found == model.sha256 {
            return Ok(bytes);
        }
        Err(ArtifactError::Changed { path: store.path(&model.file), found, expected: model.sha256.clone() })
    }

    /// Returns a key that orders artifacts by time.
    fn sort_key(&self) -> (&str, &str) {
        (&self.artifact.written_at, &self.artifact.attempt)
    }
}

/// Returns the sorted names of the attempts in the folder of a job; an empty list if the folder
/// cannot be read.
fn attempts_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
