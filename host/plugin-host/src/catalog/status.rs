//! The state of the catalog, from which the status of each published file is derived.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use oculus_job::hash::sha256_hex;
use oculus_plugin_api::Manifest;

use super::generations::{Generation, LibraryBuild};
use super::journal::{Journal, ProbeVerdict};
use super::retry::Retries;
use super::schedule::{Task, TaskKind};
use super::snapshot::{FileEntry, FileState};
use crate::config::{PluginsConfig, Trust};
use crate::file_id::FileId;
use crate::installed::InstalledPlugin;
use crate::store::Store;
use crate::trust::TrustList;

/// The configuration, journal, store and trust list at one moment. A copy is cheap, and each
/// examination receives one.
#[derive(Clone)]
pub(super) struct CatalogState {
    pub(super) config: Arc<PluginsConfig>,
    /// Identifies this build of the host. Another build examines every plugin again.
    pub(super) host: Arc<str>,
    /// Identifies the variables that the loader of shared libraries reads.
    pub(super) environment: Arc<str>,
    pub(super) store: Arc<Store>,
    pub(super) journal: Arc<Journal>,
    pub(super) trusted: Arc<TrustList>,
}

impl CatalogState {
    /// Creates the state of a folder whose trust list has not been read yet.
    pub(super) fn new(config: PluginsConfig, store: Store, journal: Arc<Journal>) -> Self {
        Self {
            config: Arc::new(config),
            host: host_build().into(),
            environment: loader_environment().into(),
            store: Arc::new(store),
            journal,
            trusted: Arc::default(),
        }
    }

    /// Returns whether the private copy of a build of this file is stored.
    pub(super) fn has_copy(&self, sha256: &str, path: &Path) -> bool {
        self.store.path(sha256, path).is_file()
    }

    /// Returns the verdict that this host build recorded for a library.
    pub(super) fn verdict(&self, sha256: &str) -> Option<&ProbeVerdict> {
        self.journal.verdict(sha256, &self.host)
    }

    /// Creates this host build's verdict on a library that passed.
    ///
    /// * `copy`: id of the private copy, taken before its bytes were hashed.
    pub(super) fn passed(&self, manifest: Manifest, copy: Option<FileId>) -> ProbeVerdict {
        ProbeVerdict::Passed { host: self.host.to_string(), manifest: Box::new(manifest), copy }
    }

    /// Creates this host build's verdict on a library that failed.
    pub(super) fn failed(&self, reason: String) -> ProbeVerdict {
        ProbeVerdict::Failed { host: self.host.to_string(), reason }
    }

    /// Returns the next examination that the file with this id needs; `None` if it needs none.
    ///
    /// * `unconfirmed`: SHA-256 of the builds that must be examined again.
    pub(super) fn next_task(&self, path: &Path, file_id: FileId, unconfirmed: &HashSet<String>) -> Option<Task> {
        let file = self.journal.files.get(path);
        let is_new = file.is_none_or(|file| !file.is_postponed(file_id, &self.environment));
        let task = |kind, is_awaited| Some(Task { path: path.to_owned(), file_id, kind, is_awaited });
        let content = file.and_then(|file| file.content_with_id(file_id));
        let Some((file, content)) = file.zip(content) else { return task(TaskKind::File, is_new) };
        let active = file.generations.active_sha256();
        let has_result = match self.verdict(&content.sha256) {
            Some(ProbeVerdict::Passed { .. }) => self.has_copy(&content.sha256, path) && active.is_some(),
            Some(ProbeVerdict::Failed { .. }) => true,
            None => false,
        };
        if !has_result && !file.withdrawn.contains_key(&content.sha256) && self.trusted.allows(&content.sha256) {
            return task(TaskKind::File, is_new);
        }
        // An active generation cannot be examined if it is not trusted or its copy is missing.
        let active = active.filter(|active| self.trusted.allows(active) && self.has_copy(active, path))?;
        match self.verdict(active) {
            None => task(TaskKind::Active, is_new),
            Some(_) if unconfirmed.contains(active) => task(TaskKind::Active, false),
            Some(_) => None,
        }
    }

    /// Returns the folders from which shared libraries may be loaded. If only listed libraries may
    /// be opened, folders below the plugins folder are excluded, because libraries in them may be
    /// unlisted.
    pub(super) fn library_dirs(&self, dirs: &[PathBuf]) -> Vec<PathBuf> {
        let config = &self.config;
        let Trust::Listed(_) = config.trust else { return dirs.to_vec() };
        let Ok(published) = config.dir.canonicalize() else { return Vec::new() };
        let resolved = dirs.iter().filter_map(|dir| dir.canonicalize().ok());
        resolved.filter(|dir| !dir.starts_with(&published)).collect()
    }

    /// Returns the build with this SHA-256, if it is allowed to be active and is or was a
    /// generation of a file.
    pub(super) fn find(&self, sha256: &str) -> Option<InstalledPlugin> {
        let (path, generation) = self.journal.files.iter().find_map(|(path, file)| {
            let mut newest_first = file.generations.all().iter().rev();
            Some((path, newest_first.find(|generation| generation.build.sha256 == sha256)?))
        })?;
        self.installed(path, generation)
    }

    /// Returns the status of one file.
    pub(super) fn entry(&self, path: &Path, retries: &Retries) -> FileEntry {
        let file = self.journal.files.get(path).cloned().unwrap_or_default();
        let file_id = FileId::from_path(path).ok();
        let postponed = file_id.and_then(|file_id| file.postponed_reason(file_id));
        let content = file_id.and_then(|file_id| file.content_with_id(file_id));
        let sha256 = content.map(|content| content.sha256.clone());
        let plugin = file.generations.current().and_then(|active| self.installed(path, active));
        // A pending retry is more recent than the journal. If the file was read, its hash
        // determines the state more precisely than the reason of a postponed examination.
        let state = match (retries.state(path), &sha256, postponed) {
            (Some(state), _, _) => state.clone(),
            (None, Some(sha256), _) => self.state(path, sha256, plugin.as_ref()),
            (None, None, Some(reason)) => FileState::Refused { reason: reason.to_owned() },
            (None, None, None) => FileState::Pending,
        };
        FileEntry { path: path.to_owned(), sha256, plugin, state, generations: file.generations }
    }

    /// Returns the state of a file that was read and has no pending retry.
    fn state(&self, path: &Path, sha256: &str, active: Option<&InstalledPlugin>) -> FileState {
        if !self.trusted.allows(sha256) {
            // The line has the format of `sha256sum`, so that a user can append it to the list.
            let line = format!("{sha256}  {}", path.display());
            let reason = format!("is not listed in PLUGINS_TRUSTED; to trust it, add the line\n{line}");
            return FileState::Refused { reason };
        }
        if let Some(reason) = self.journal.withdrawn_reason(path, sha256) {
            return FileState::Quarantined { reason: reason.to_owned() };
        }
        match self.verdict(sha256) {
            Some(ProbeVerdict::Failed { reason, .. }) => FileState::Quarantined { reason: reason.clone() },
            Some(ProbeVerdict::Passed { .. }) if active.is_some_and(|active| active.sha256 == sha256) => {
                FileState::Active
            }
            Some(ProbeVerdict::Passed { .. }) | None => FileState::Pending,
        }
    }

    /// Returns the plugin of a generation if the build passed, is trusted, and has a stored copy.
    fn installed(&self, source: &Path, generation: &Generation) -> Option<InstalledPlugin> {
        let Generation { number, build: LibraryBuild { sha256, library_dirs, .. }, .. } = generation;
        let Some(ProbeVerdict::Passed { manifest, copy, .. }) = self.verdict(sha256) else { return None };
        let is_usable = self.trusted.allows(sha256) && self.has_copy(sha256, source);
        is_usable.then(|| InstalledPlugin {
            source: source.to_owned(),
            path: self.store.path(sha256, source),
            sha256: sha256.clone(),
            file_id: *copy,
            generation: *number,
            library_dirs: self.library_dirs(library_dirs),
            manifest: Manifest::clone(manifest),
        })
    }
}

/// Returns the hash of all environment variables in which a user may name folders of shared
/// libraries, such as `LD_LIBRARY_PATH` and `LIBTORCH`. If they change, an examination that failed
/// may pass.
fn loader_environment() -> String {
    let is_read = |name: &str| ["LD_", "DYLD_", "LIB"].iter().any(|prefix| name.starts_with(prefix));
    let mut variables: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_read)).collect();
    variables.sort();
    sha256_hex(format!("{variables:?}").as_bytes())
}

/// Returns a string that identifies this build of the host: the version, length and modification
/// time of its executable. Two builds of one version may differ in the checks that they perform.
fn host_build() -> String {
    let file = oculus_system::process::own_executable().and_then(std::fs::metadata).ok();
    let n_bytes = file.as_ref().map_or(0, |file| file.len());
    let modified = file.and_then(|file| file.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    format!("{} {n_bytes} {}", env!("CARGO_PKG_VERSION"), modified.unwrap_or_default().as_nanos())
}
