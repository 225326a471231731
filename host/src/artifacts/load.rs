//! Finds a saved artifact by its job or its folder, and reads it.

use std::path::{Path, PathBuf};

use oculus_job::hash::sha256_hex;

use super::description::{Artifact, DESCRIPTION, FORMAT_VERSION, SavedModel};
use super::error::ArtifactError;
use super::folder_name::folder_name;
use super::store::Store;

/// A complete artifact.
#[derive(Clone, Debug)]
pub(crate) struct SavedArtifact {
    /// Its folder.
    pub folder: PathBuf,
    /// Its description.
    pub artifact: Artifact,
}

impl SavedArtifact {
    /// Finds an artifact.
    ///
    /// * `job`: the folder of an artifact, or a job's id.
    /// * `attempt`: with a job's id, the name of an attempt; by default the newest complete one.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], with what exists instead, and those of [`SavedArtifact::open`].
    pub(crate) fn find(artifacts_dir: &Path, job: &str, attempt: Option<&str>) -> Result<Self, ArtifactError> {
        let as_folder = Path::new(job);
        if attempt.is_none() && as_folder.join(DESCRIPTION).is_file() {
            return Self::open(as_folder);
        }
        let of_job = artifacts_dir.join(folder_name(job));
        let names = attempts_in(&of_job);
        let wanted = |name: &&String| attempt.is_none_or(|attempt| attempt == *name);
        let complete =
            names.iter().filter(wanted).map(|name| of_job.join(name)).filter(|it| it.join(DESCRIPTION).is_file());
        let mut newest: Option<Self> = None;
        for folder in complete {
            let saved = match Self::open(&folder) {
                Ok(saved) => saved,
                // Another attempt may be complete.
                Err(error) if attempt.is_none() => {
                    tracing::warn!("left out: {:#}", anyhow::Error::from(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A file system that ignores case keeps the attempts of two jobs in one folder.
            if saved.artifact.job_id == job && newest.as_ref().is_none_or(|newest| newest.age() < saved.age()) {
                newest = Some(saved);
            }
        }
        newest.ok_or_else(|| {
            let found = match (names.as_slice(), attempt) {
                ([], _) => format!("there is no folder {}", of_job.display()),
                (names, None) => format!("no attempt in {} is whole ({})", of_job.display(), names.join(", ")),
                (names, Some(attempt)) => {
                    format!("{} has no whole attempt `{attempt}`, it has {}", of_job.display(), names.join(", "))
                }
            };
            ArtifactError::Missing { job: job.to_owned(), found }
        })
    }

    /// Reads the artifact in a folder.
    ///
    /// # Errors
    /// The description cannot be read, or a later version has written it.
    pub(crate) fn open(folder: &Path) -> Result<Self, ArtifactError> {
        /// Read first: a later version may change every other field.
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
            return Err(ArtifactError::Newer { path, found });
        }
        let artifact = serde_json::from_slice(&bytes).map_err(broken)?;
        Ok(Self { folder: folder.to_owned(), artifact })
    }

    /// Returns a model by its plugin's id or its title, ignoring case; by default the winner.
    ///
    /// # Errors
    /// [`ArtifactError::NoModel`], with the models that exist.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<&SavedModel, ArtifactError> {
        let trained = &self.artifact.trained;
        let name = name.unwrap_or(&trained.winner);
        let is_meant =
            |model: &&SavedModel| [&model.plugin, &model.title].iter().any(|own| own.eq_ignore_ascii_case(name));
        trained.models.iter().find(is_meant).ok_or_else(|| {
            let there: Vec<_> =
                trained.models.iter().map(|model| format!("{} ({})", model.plugin, model.title)).collect();
            ArtifactError::NoModel { asked: name.to_owned(), folder: self.folder.clone(), there: there.join(", ") }
        })
    }

    /// Returns the bytes of a model, as they were written.
    ///
    /// # Errors
    /// The file cannot be read, or [`ArtifactError::Changed`].
    pub(crate) fn bytes(&self, model: &SavedModel) -> Result<Vec<u8>, ArtifactError> {
        let store = Store::open(&self.folder)?;
        let bytes = store.read(&model.file)?;
        let found = sha256_hex(&bytes);
        if found == model.sha256 {
            return Ok(bytes);
        }
        Err(ArtifactError::Changed { path: store.path(&model.file), found, needed: model.sha256.clone() })
    }

    /// Returns a key that sorts by time.
    fn age(&self) -> (&str, &str) {
        (&self.artifact.written_at, &self.artifact.attempt)
    }
}

/// Returns the names of the folders in a job's folder, sorted; none if it cannot be read.
fn attempts_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
