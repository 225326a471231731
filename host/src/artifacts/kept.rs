//! An artifact that has been written: found by its job or its folder, and read.

use std::path::{Path, PathBuf};

use super::description::{Artifact, DESCRIPTION, FORMAT_VERSION, SavedModel};
use super::error::ArtifactError;
use super::names;
use super::store::Store;
use oculus_job::hash::sha256_hex;

/// A whole artifact.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub artifact: Artifact,
}

impl Kept {
    /// Finds the artifact that somebody means.
    ///
    /// * `job`: the folder of an artifact, or a job's id.
    /// * `attempt`: with a job's id the name of an attempt; the newest whole one where none is given.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], naming what is there instead, and all of [`Kept::open`].
    pub(crate) fn find(artifacts_dir: &Path, job: &str, attempt: Option<&str>) -> Result<Self, ArtifactError> {
        let as_folder = Path::new(job);
        if attempt.is_none() && as_folder.join(DESCRIPTION).is_file() {
            return Self::open(as_folder);
        }
        let of_job = artifacts_dir.join(names::of_job(job));
        let names = attempts_in(&of_job);
        let wanted = |name: &&String| attempt.is_none_or(|attempt| attempt == *name);
        let whole =
            names.iter().filter(wanted).map(|name| of_job.join(name)).filter(|it| it.join(DESCRIPTION).is_file());
        let mut newest: Option<Self> = None;
        for folder in whole {
            let kept = match Self::open(&folder) {
                Ok(kept) => kept,
                // Another attempt may be whole.
                Err(error) if attempt.is_none() => {
                    tracing::warn!("left out: {:#}", anyhow::Error::from(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A file system that ignores case keeps the attempts of two jobs in one folder.
            if kept.artifact.job_id == job && newest.as_ref().is_none_or(|newest| newest.age() < kept.age()) {
                newest = Some(kept);
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
    /// A description that cannot be read, or that a later version has written.
    pub(crate) fn open(folder: &Path) -> Result<Self, ArtifactError> {
        /// Read first: what a later version writes may look otherwise in every other way.
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

    /// A model by its plugin's id or its title, in any case; the winner where no name is given.
    ///
    /// # Errors
    /// [`ArtifactError::NoModel`], naming those there are.
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

    /// The bytes of a model, as they were written.
    ///
    /// # Errors
    /// A file that cannot be read, or [`ArtifactError::Changed`].
    pub(crate) fn bytes(&self, model: &SavedModel) -> Result<Vec<u8>, ArtifactError> {
        let store = Store::open(&self.folder)?;
        let bytes = store.read(&model.file)?;
        let found = sha256_hex(&bytes);
        if found == model.sha256 {
            return Ok(bytes);
        }
        Err(ArtifactError::Changed { path: store.path(&model.file), found, needed: model.sha256.clone() })
    }

    /// Sorts by time.
    fn age(&self) -> (&str, &str) {
        (&self.artifact.written_at, &self.artifact.attempt)
    }
}

/// The folders of a job's folder, sorted; none where it cannot be read.
fn attempts_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
