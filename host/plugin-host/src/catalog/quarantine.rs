//! Withdraws a content, because jobs crashed or a user rolled it back, so that an earlier one is active again.
//!
//! Invariant: a content that was withdrawn from a file becomes active there again only by a roll-back to it.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::examine::probe_copy;
use super::generations::{Content, Generation};
use super::journal::{Journal, ProbeVerdict};
use super::roll_back_error::RollBackError;
use super::snapshot::{FileEntry, Snapshot};
use super::status::Knowledge;
use crate::health::PluginHealth;

/// A content that is to be active again, and the verdict on it.
pub(super) struct RollBack {
    path: PathBuf,
    content: Content,
    verdict: ProbeVerdict,
}

impl RollBack {
    /// Finds the content that a user selects, and examines it unless it has passed before. What is active stays active
    /// meanwhile.
    ///
    /// * `to`: beginning of a hash; the last other content that may be active if `None`.
    ///
    /// # Errors
    /// Without such a plugin or content, or if it may not be active.
    pub(super) fn plan(known: &Knowledge, snapshot: &Snapshot, id: &str, to: Option<&str>) -> anyhow::Result<Self> {
        let path = file_of(known, snapshot, id)?;
        Self::plan_for_file(known, path, to).with_context(|| format!("`{id}` is not rolled back"))
    }

    fn plan_for_file(known: &Knowledge, path: PathBuf, to: Option<&str>) -> Result<Self, RollBackError> {
        let generations = known.journal.files.get(&path).map(|file| file.generations.clone()).unwrap_or_default();
        let content = generations.earlier(to, |sha256| may_be_active(known, &known.journal, &path, sha256))?;
        let verdict = verdict_on(known, &path, &content)?;
        Ok(Self { path, content, verdict })
    }

    /// Makes the content active, and withdraws the present one.
    pub(super) fn apply(self, journal: &mut Journal, now: &str) {
        let Self { path, content, verdict } = self;
        journal.record(&content.sha256, verdict);
        let Some(file) = journal.files.get_mut(&path) else { return };
        if let Some(before) = file.generations.active_sha256() {
            let reason = format!("rolled back by hand at {now}; publish another build, or roll back to {before}");
            file.withdrawn.insert(before.to_owned(), reason);
        }
        file.withdrawn.remove(&content.sha256);
        file.generations.roll_back(content, now);
    }
}

/// Counts a job for the content of one file, if that is still active. One that crashes in its first jobs is withdrawn.
///
/// * `journal`: the present one, which `known` may be older than.
pub(super) fn record_usage(known: &Knowledge, journal: &mut Journal, path: &Path, health: &PluginHealth, now: &str) {
    let Some(mut file) = journal.files.get(path).cloned() else { return };
    if file.generations.active_sha256() != Some(&health.sha256) {
        return;
    }
    let is_allowed = |sha256: &str| may_be_active(known, journal, path, sha256);
    let withdrawn = file.generations.record_usage(health.died, now, is_allowed);
    if let Some(Generation { content, n_jobs, n_deaths, .. }) = withdrawn {
        let reason = format!("taken back: it crashed in {n_deaths} of its first {n_jobs} jobs; publish a mended build");
        tracing::warn!(library = %path.display(), sha256 = content.sha256, "{reason}");
        file.withdrawn.insert(content.sha256, reason);
    }
    journal.files.insert(path.to_owned(), file);
}

/// Returns whether a content may be active again for a file: not withdrawn, not failed, and its copy is stored.
fn may_be_active(known: &Knowledge, journal: &Journal, path: &Path, sha256: &str) -> bool {
    let is_withdrawn = journal.withdrawn_reason(path, sha256).is_some();
    let has_failed = matches!(journal.verdict(sha256, &known.host), Some(ProbeVerdict::Failed { .. }));
    !is_withdrawn && !has_failed && known.has_copy(sha256, path)
}

/// Returns the one file that is, or was, the plugin of this id.
fn file_of(known: &Knowledge, snapshot: &Snapshot, id: &str) -> Result<PathBuf, RollBackError> {
    let is_plugin = |entry: &&FileEntry| known.journal.ids(&entry.path).contains(id);
    let paths: Vec<_> = snapshot.entries.iter().filter(is_plugin).map(|entry| entry.path.clone()).collect();
    match paths.as_slice() {
        [path] => Ok(path.clone()),
        [] => Err(RollBackError::NoPlugin {
            id: id.to_owned(),
            folder: known.config.dir.clone(),
            installed: snapshot.plugins().into_iter().map(|plugin| plugin.manifest.id).collect(),
        }),
        _ => Err(RollBackError::SeveralFiles { id: id.to_owned(), paths }),
    }
}

/// Returns the verdict for a content that has passed, now or earlier.
fn verdict_on(known: &Knowledge, path: &Path, content: &Content) -> Result<ProbeVerdict, RollBackError> {
    let Content { sha256, library_dirs, .. } = content;
    if !known.trusted.allows(sha256) {
        return Err(RollBackError::NotTrusted(sha256.clone()));
    }
    if !known.has_copy(sha256, path) {
        return Err(RollBackError::NotStored(sha256.clone()));
    }
    if let Some(verdict @ ProbeVerdict::Passed { .. }) = known.verdict(sha256) {
        return Ok(verdict.clone());
    }
    probe_copy(known, path, sha256, library_dirs)
        .map_err(|error| RollBackError::Failed { sha256: sha256.clone(), reason: error.reason })
}
