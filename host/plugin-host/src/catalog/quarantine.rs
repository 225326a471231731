//! Withdraws a build after crashes or at a user's request, and activates an earlier one.
//!
//! Both a withdrawn build and a build that fails its probe (`examine`) are quarantined. The module
//! `generations` contains the rule of the probation. The module `status` derives the state of a
//! file.
//!
//! Invariant: after a build was withdrawn from a file, only a rollback makes this build active for
//! this file again.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::examine::probe_copy;
use super::generations::{Generation, LibraryBuild, SkippedBuild};
use super::journal::{Journal, ProbeVerdict};
use super::rollback_error::RollbackError;
use super::snapshot::{FileEntry, Snapshot};
use super::status::CatalogState;
use crate::health::PluginHealth;

/// A planned rollback: the build to activate again, and the verdict on it.
pub(super) struct Rollback {
    path: PathBuf,
    build: LibraryBuild,
    verdict: ProbeVerdict,
    /// The more recent builds that are not selected.
    pub(super) skipped: Vec<SkippedBuild>,
}

impl Rollback {
    /// Finds the build that a user selects, and examines it unless it passed before. The active
    /// build stays active meanwhile. This function runs on the caller's thread, because the owner
    /// thread must not wait for an examination.
    ///
    /// * `to`: the first digits of a SHA-256; `None` selects the most recent other build that may
    ///   be active and has a clean record.
    ///
    /// # Errors
    /// Returns an error if no plugin or build matches, or if the build must not be active.
    pub(super) fn plan(state: &CatalogState, snapshot: &Snapshot, id: &str, to: Option<&str>) -> anyhow::Result<Self> {
        let path = find_file(state, snapshot, id)?;
        Self::plan_for_file(state, path, to).with_context(|| format!("cannot roll back `{id}`"))
    }

    fn plan_for_file(state: &CatalogState, path: PathBuf, to: Option<&str>) -> Result<Self, RollbackError> {
        let generations = state.journal.files.get(&path).map(|file| file.generations.clone()).unwrap_or_default();
        let (build, skipped) = match to {
            Some(start) => (generations.named(start)?, Vec::new()),
            None => generations.last_clean(|sha256| obstacle(state, &state.journal, &path, sha256))?,
        };
        let verdict = verdict_on(state, &path, &build)?;
        Ok(Self { path, build, verdict, skipped })
    }

    /// Activates the build and withdraws the current one.
    pub(super) fn apply(self, journal: &mut Journal, now: &str) {
        let Self { path, build, verdict, .. } = self;
        journal.record(&build.sha256, verdict);
        let Some(file) = journal.files.get_mut(&path) else { return };
        if let Some(before) = file.generations.active_sha256() {
            let reason = format!("rolled back by a user at {now}; publish another build, or roll back to {before}");
            file.withdrawn.insert(before.to_owned(), reason);
        }
        file.withdrawn.remove(&build.sha256);
        file.generations.roll_back(build, now);
    }
}

/// Counts one job for a build of a file, if the build is still active. A build that crashes in its
/// first jobs is withdrawn.
///
/// * `journal`: the current journal. The journal in `state` may be older.
pub(super) fn record_usage(state: &CatalogState, journal: &mut Journal, path: &Path, health: &PluginHealth, now: &str) {
    // The record is copied, because `may_be_active` reads the journal while the record changes.
    let Some(mut file) = journal.files.get(path).cloned() else { return };
    // If a newer build is published while a job runs, the job reports on the old build.
    if file.generations.active_sha256() != Some(&health.sha256) {
        return;
    }
    let is_allowed = |sha256: &str| obstacle(state, journal, path, sha256).is_none();
    let withdrawn = file.generations.record_usage(health.died, now, is_allowed);
    if let Some(Generation { build, n_jobs, n_deaths, .. }) = withdrawn {
        let reason = format!("withdrawn: it crashed in {n_deaths} of its first {n_jobs} jobs; publish a fixed build");
        tracing::warn!(library = %path.display(), sha256 = build.sha256, "{reason}");
        file.withdrawn.insert(build.sha256, reason);
    }
    journal.files.insert(path.to_owned(), file);
}

/// Returns why a build must not become active again for a file, or `None` if it may: its copy must be
/// stored, and it must have neither failed nor been withdrawn.
fn obstacle(state: &CatalogState, journal: &Journal, path: &Path, sha256: &str) -> Option<String> {
    if let Some(reason) = journal.withdrawn_reason(path, sha256) {
        return Some(reason.to_owned());
    }
    if let Some(ProbeVerdict::Failed { reason, .. }) = journal.verdict(sha256, &state.host) {
        return Some(format!("it failed its probe: {}", reason.replace('\n', ", ")));
    }
    (!state.has_copy(sha256, path)).then(|| "its copy is no longer stored".to_owned())
}

/// Returns the only file that contains or contained the plugin with this id.
fn find_file(state: &CatalogState, snapshot: &Snapshot, id: &str) -> Result<PathBuf, RollbackError> {
    let is_plugin = |entry: &&FileEntry| state.journal.ids(&entry.path).contains(id);
    let paths: Vec<_> = snapshot.entries.iter().filter(is_plugin).map(|entry| entry.path.clone()).collect();
    match paths.as_slice() {
        [path] => Ok(path.clone()),
        [] => Err(RollbackError::NoPlugin {
            id: id.to_owned(),
            folder: state.config.dir.clone(),
            installed: snapshot.plugins().into_iter().map(|plugin| plugin.manifest.id).collect(),
        }),
        _ => Err(RollbackError::SeveralFiles { id: id.to_owned(), paths }),
    }
}

/// Returns the verdict on a build that passed. A build that did not pass earlier is examined now.
fn verdict_on(state: &CatalogState, path: &Path, build: &LibraryBuild) -> Result<ProbeVerdict, RollbackError> {
    let LibraryBuild { sha256, library_dirs, .. } = build;
    if !state.trusted.allows(sha256) {
        return Err(RollbackError::NotTrusted(sha256.clone()));
    }
    if !state.has_copy(sha256, path) {
        return Err(RollbackError::NotStored(sha256.clone()));
    }
    if let Some(verdict @ ProbeVerdict::Passed { .. }) = state.verdict(sha256) {
        return Ok(verdict.clone());
    }
    probe_copy(state, path, sha256, library_dirs)
        .map_err(|error| RollbackError::Failed { sha256: sha256.clone(), reason: error.reason })
}
