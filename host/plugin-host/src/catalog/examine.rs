//! Examines builds: copies each file, checks its format without opening it, and probes it in a
//! separate process.
//!
//! In: a copy of the catalog's state at the start of the examination. Out: either a finding for the
//! owner of the catalog to record, or the reason why there is no result. Nothing is recorded here.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::{FileContent, Finding, ProbeVerdict};
use super::schedule::{Task, TaskKind};
use super::snapshot::FileState;
use super::status::CatalogState;
use crate::file_id::FileId;
use crate::format;
use crate::probe::{Fault, ProbeError, ProbeTarget, probe};

/// If the last write to a damaged file is more recent than this, the file may be incomplete. It is
/// then examined again instead of rejected.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The reason why an examination has no result. The examination is repeated later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExamineError {
    /// The file is being written, or it changed during the examination.
    Unfinished,
    /// The build cannot be used at present, for example because the machine lacks memory.
    Refused {
        /// The reason, in at most three lines.
        reason: String,
    },
}

impl From<ExamineError> for FileState {
    fn from(error: ExamineError) -> Self {
        match error {
            ExamineError::Unfinished => Self::Pending,
            ExamineError::Refused { reason } => Self::Refused { reason },
        }
    }
}

/// Runs the examination that a task describes.
///
/// # Errors
/// Returns [`ExamineError`] if the examination has no result.
pub(super) fn examine(state: &CatalogState, task: &Task) -> Result<Finding, ExamineError> {
    // The owner waits for a result of every task, so a panic must produce one.
    let result = catch_unwind(AssertUnwindSafe(|| match task.kind {
        TaskKind::File => examine_file(state, &task.path),
        TaskKind::Active => examine_active(state, &task.path),
    }));
    result
        .unwrap_or_else(|_| Err(refused("its examination panicked; the worker's log contains the location".to_owned())))
}

fn examine_file(state: &CatalogState, path: &Path) -> Result<Finding, ExamineError> {
    let copy = state.store.copy(path).map_err(|error| match error.kind() {
        ErrorKind::ResourceBusy | ErrorKind::NotFound => ExamineError::Unfinished,
        _ => refused(format!("cannot be read or copied: {error}")),
    })?;
    let sha256 = copy.sha256.clone();
    let mut read = FileContent { file_id: copy.file_id, sha256: sha256.clone(), library_dirs: Vec::new() };
    let earlier = state.verdict(&sha256);
    let is_withdrawn = state.journal.withdrawn_reason(path, &sha256).is_some();
    // Only the hash is recorded. An untrusted build must not be opened, and the journal already
    // records why the other builds were rejected.
    if !state.trusted.allows(&sha256) || is_withdrawn || matches!(earlier, Some(ProbeVerdict::Failed { .. })) {
        return Ok(Finding { sha256, content: Some(read), verdict: None });
    }
    let uncopied = |error| refused(format!("cannot be copied: {error}"));
    let checked = format::check(&copy.bytes().map_err(uncopied)?, path);
    let verdict = match checked {
        Err(error) if error.may_be_unfinished() && read.file_id.is_younger_than(SETTLED_AFTER) => {
            return Err(ExamineError::Unfinished);
        }
        Err(error) => state.failed(ProbeError::new(Fault::Library, &error.to_string()).reason),
        Ok(library_dirs) => {
            read.library_dirs = library_dirs;
            let placed = state.store.persist(copy, path).map_err(uncopied)?;
            match earlier.and_then(ProbeVerdict::manifest) {
                // The same bytes passed an earlier examination, either under another file name or
                // before their copy was removed.
                Some(manifest) => state.passed(manifest.clone(), FileId::from_path(&placed).ok()),
                None => probe_new(state, path, &sha256, &read.library_dirs)?,
            }
        }
    };
    Ok(Finding { sha256, content: Some(read), verdict: Some(verdict) })
}

/// Examines the active generation of a file. A build that passed before stays active even if it
/// fails now. The exception is a missing shared library, because jobs would fail for the same
/// reason.
fn examine_active(state: &CatalogState, path: &Path) -> Result<Finding, ExamineError> {
    let Some(active) = state.journal.active(path) else { return Err(ExamineError::Unfinished) };
    let verdict = match state.verdict(&active.sha256) {
        None => Some(probe_new(state, path, &active.sha256, &active.library_dirs)?),
        Some(_) => match probe_copy(state, path, &active.sha256, &active.library_dirs) {
            Ok(verdict) => Some(verdict),
            Err(ProbeError { fault: Fault::MissingDependency, reason }) => return Err(refused(reason)),
            Err(ProbeError { reason, .. }) => {
                let library = path.display();
                tracing::warn!(%library, "the plugin stays active although it fails an examination that it passed before: {reason}");
                None
            }
        },
    };
    Ok(Finding { sha256: active.sha256.clone(), content: None, verdict })
}

/// Probes the private copy of a build that has no verdict yet.
fn probe_new(
    state: &CatalogState,
    path: &Path,
    sha256: &str,
    library_dirs: &[PathBuf],
) -> Result<ProbeVerdict, ExamineError> {
    probe_copy(state, path, sha256, library_dirs).or_else(|error| match error.fault {
        // Another process examined this build and removed the copy, because the build failed. The
        // next scan reads its verdict.
        _ if !state.has_copy(sha256, path) => Err(ExamineError::Unfinished),
        Fault::Library => Ok(state.failed(error.reason)),
        Fault::Machine | Fault::MissingDependency => Err(refused(error.reason)),
    })
}

/// Probes the private copy of a build in a separate process.
///
/// # Errors
/// Returns the reason why the build must not be active.
pub(super) fn probe_copy(
    state: &CatalogState,
    path: &Path,
    sha256: &str,
    library_dirs: &[PathBuf],
) -> Result<ProbeVerdict, ProbeError> {
    let library = state.store.path(sha256, path);
    // The id is read before the process hashes the file, so that a change between the two steps is
    // detected.
    let copy_id = FileId::from_path(&library).ok();
    let name = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = probe(&ProbeTarget {
        name,
        library,
        sha256: sha256.to_owned(),
        library_dirs: state.library_dirs(library_dirs),
        limits: state.config.limits,
    })?;
    Ok(state.passed(manifest, copy_id))
}

fn refused(reason: String) -> ExamineError {
    ExamineError::Refused { reason }
}
