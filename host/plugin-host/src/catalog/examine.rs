//! Examines contents: each is copied, checked without being opened, and tried in a process of its own.
//!
//! In: what is known when the examination begins. Out: what was found, for the owner of the catalog to record, or why
//! there is no result. Nothing is recorded here.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::{Finding, ProbeVerdict, SeenContent};
use super::schedule::{Task, TaskKind};
use super::snapshot::FileState;
use super::status::Knowledge;
use crate::file_id::FileId;
use crate::format;
use crate::probe::{Fault, ProbeError, Subject, probe};

/// How long a damaged file may be one that is still being written.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Why an examination has no result; it is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExamineError {
    /// The file is being written, or has changed meanwhile.
    Unfinished,
    /// The content cannot be used for now, such as on a machine without enough memory.
    Refused {
        /// Why, in at most three lines.
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

/// Examines what a task names.
///
/// # Errors
/// Without a result.
pub(super) fn examine(known: &Knowledge, task: &Task) -> Result<Finding, ExamineError> {
    // The owner waits for the end of every task, so a panic is a result, too.
    let result = catch_unwind(AssertUnwindSafe(|| match task.kind {
        TaskKind::File => examine_file(known, &task.path),
        TaskKind::Active => examine_active(known, &task.path),
    }));
    result.unwrap_or_else(|_| Err(refused("its examination panicked; the worker's log has the place".to_owned())))
}

fn examine_file(known: &Knowledge, path: &Path) -> Result<Finding, ExamineError> {
    let copy = known.store.copy(path).map_err(|error| match error.kind() {
        ErrorKind::ResourceBusy | ErrorKind::NotFound => ExamineError::Unfinished,
        _ => refused(format!("cannot be read or copied: {error}")),
    })?;
    let sha256 = copy.sha256.clone();
    let mut seen = SeenContent { file_id: copy.file_id, sha256: sha256.clone(), library_dirs: Vec::new() };
    let earlier = known.verdict(&sha256);
    let is_withdrawn = known.journal.withdrawn_reason(path, &sha256).is_some();
    if !known.trusted.allows(&sha256) || is_withdrawn || matches!(earlier, Some(ProbeVerdict::Failed { .. })) {
        return Ok(Finding { sha256, seen: Some(seen), verdict: None });
    }
    let uncopied = |error| refused(format!("cannot be copied: {error}"));
    let checked = format::check(&copy.bytes().map_err(uncopied)?, path);
    let verdict = match checked {
        Err(error) if error.may_be_unfinished() && seen.file_id.is_younger_than(SETTLED_AFTER) => {
            return Err(ExamineError::Unfinished);
        }
        Err(error) => known.failed(ProbeError::new(Fault::Library, &error.to_string()).reason),
        Ok(library_dirs) => {
            seen.library_dirs = library_dirs;
            let placed = known.store.place(copy, path).map_err(uncopied)?;
            match earlier.and_then(ProbeVerdict::manifest) {
                Some(manifest) => known.passed(manifest.clone(), FileId::from_path(&placed).ok()),
                None => try_out(known, path, &sha256, &seen.library_dirs)?,
            }
        }
    };
    Ok(Finding { sha256, seen: Some(seen), verdict: Some(verdict) })
}

/// Examines the active generation of a file. One that has passed before stays active though it fails now, unless jobs
/// would fail for the same reason: a shared library is missing.
fn examine_active(known: &Knowledge, path: &Path) -> Result<Finding, ExamineError> {
    let Some(active) = known.journal.active(path) else { return Err(ExamineError::Unfinished) };
    let verdict = match known.verdict(&active.sha256) {
        None => Some(try_out(known, path, &active.sha256, &active.library_dirs)?),
        Some(_) => match probe_copy(known, path, &active.sha256, &active.library_dirs) {
            Ok(verdict) => Some(verdict),
            Err(ProbeError { fault: Fault::MissingDependency, reason }) => return Err(refused(reason)),
            Err(ProbeError { reason, .. }) => {
                let library = path.display();
                tracing::warn!(%library, "the plugin stays active, but fails an examination that it passed before: {reason}");
                None
            }
        },
    };
    Ok(Finding { sha256: active.sha256.clone(), seen: None, verdict })
}

/// Tries the private copy of a content that has no verdict yet.
fn try_out(
    known: &Knowledge,
    path: &Path,
    sha256: &str,
    library_dirs: &[PathBuf],
) -> Result<ProbeVerdict, ExamineError> {
    probe_copy(known, path, sha256, library_dirs).or_else(|error| match error.fault {
        // Another process has found the same content to fail, and removed it; the next scan finds its verdict.
        _ if !known.has_copy(sha256, path) => Err(ExamineError::Unfinished),
        Fault::Library => Ok(known.failed(error.reason)),
        Fault::Machine | Fault::MissingDependency => Err(refused(error.reason)),
    })
}

/// Tries the private copy of a content in a process.
///
/// # Errors
/// Why it may not be active.
pub(super) fn probe_copy(
    known: &Knowledge,
    path: &Path,
    sha256: &str,
    library_dirs: &[PathBuf],
) -> Result<ProbeVerdict, ProbeError> {
    let library = known.store.path(sha256, path);
    // Before its process hashes it, so that a change in between shows.
    let copy_id = FileId::from_path(&library).ok();
    let name = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = probe(&Subject {
        name,
        library,
        sha256: sha256.to_owned(),
        library_dirs: known.library_dirs(library_dirs),
        limits: known.config.limits,
    })?;
    Ok(known.passed(manifest, copy_id))
}

fn refused(reason: String) -> ExamineError {
    ExamineError::Refused { reason }
}
