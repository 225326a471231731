//! The records about plugin libraries: the verdicts on each build, and the generations of each
//! published file.
//!
//! This module is pure: it reads no files and no clock. All builds of the host that use one state
//! folder share the JSON format of [`Journal`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use super::generations::{Generations, LibraryBuild};
use crate::file_id::FileId;

/// Version of the JSON format.
pub(super) const VERSION: u32 = 1;
/// If the journal has more verdicts than this, the verdicts to which no file refers are removed.
const MAX_VERDICTS: usize = 1000;
/// The number of host builds whose verdicts on one library are kept.
const MAX_HOSTS: usize = 4;

/// All recorded verdicts and generations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(super) version: u32,
    /// The verdicts on each library, by its SHA-256. Each host build that examined the library has
    /// one verdict; the most recent verdict is the last.
    pub verdicts: BTreeMap<String, Vec<ProbeVerdict>>,
    /// Published files by path.
    #[serde(rename = "slots")]
    pub files: BTreeMap<PathBuf, FileRecord>,
}

/// The result of an examination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum ProbeVerdict {
    /// The build may be active.
    Passed {
        /// The host build that examined the library. Every other host build examines it again.
        host: String,
        /// The plugin's manifest.
        manifest: Box<Manifest>,
        /// Id of the private copy at the time its bytes were hashed.
        copy: Option<FileId>,
    },
    /// The build failed.
    Failed {
        /// The host build that examined the library. Every other host build examines it again.
        host: String,
        /// The reason, in at most three lines.
        reason: String,
    },
}

impl ProbeVerdict {
    fn host(&self) -> &str {
        match self {
            Self::Passed { host, .. } | Self::Failed { host, .. } => host,
        }
    }

    /// Returns the manifest if the build passed, else `None`.
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Passed { manifest, .. } => Some(manifest),
            Self::Failed { .. } => None,
        }
    }
}

/// The record of one published file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    /// The bytes of the file when it was last read. An unchanged file is not read again.
    #[serde(rename = "seen")]
    pub content: Option<FileContent>,
    /// The last examination, if it had no result because of a fault of the machine. The examination
    /// is repeated in the background.
    #[serde(default)]
    pub postponed: Option<PostponedExamination>,
    /// The active generation and the earlier ones.
    pub generations: Generations,
    /// The builds that were withdrawn from this file after crashes or by a user: SHA-256 and
    /// reason. A withdrawn build may still be active in another file.
    #[serde(default)]
    pub withdrawn: BTreeMap<String, String>,
}

impl FileRecord {
    /// Returns the content of the file, if the file had this id when it was read.
    pub(crate) fn content_with_id(&self, file_id: FileId) -> Option<&FileContent> {
        self.content.as_ref().filter(|content| content.file_id == file_id)
    }

    /// Returns whether an examination of the file with this id had no result in this environment of
    /// the loader.
    pub(crate) fn is_postponed(&self, file_id: FileId, environment: &str) -> bool {
        let same =
            |postponed: &PostponedExamination| postponed.file_id == file_id && postponed.environment == environment;
        self.postponed.as_ref().is_some_and(same)
    }

    /// Returns why the examination of the file with this id had no result.
    pub(crate) fn postponed_reason(&self, file_id: FileId) -> Option<&str> {
        let postponed = self.postponed.as_ref().filter(|postponed| postponed.file_id == file_id)?;
        Some(&postponed.reason)
    }
}

/// An examination without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PostponedExamination {
    /// Id of the published file.
    #[serde(rename = "stamp")]
    pub file_id: FileId,
    /// The reason, in at most three lines.
    pub reason: String,
    /// Identifies the environment variables that the loader of shared libraries read. If they change,
    /// the examination may pass.
    #[serde(default)]
    pub environment: String,
}

/// The hash of a published file's bytes, and the id of the file when they were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileContent {
    /// Id of the published file.
    #[serde(rename = "stamp")]
    pub file_id: FileId,
    /// SHA-256 of the bytes, as hex.
    pub sha256: String,
    /// Folders in which the library searches for the shared libraries that it needs.
    #[serde(default)]
    pub library_dirs: Vec<PathBuf>,
}

/// The result of an examination, to be recorded.
#[derive(Debug)]
pub(crate) struct Finding {
    /// SHA-256 of the examined build, as hex.
    pub sha256: String,
    /// The current content of the file. It is `None` if only the active generation was examined.
    pub content: Option<FileContent>,
    /// The new verdict; `None` if there is none to record.
    pub verdict: Option<ProbeVerdict>,
}

impl Journal {
    /// Returns the verdict that one host build recorded for a library.
    pub(crate) fn verdict(&self, sha256: &str, host: &str) -> Option<&ProbeVerdict> {
        self.verdicts.get(sha256)?.iter().find(|verdict| verdict.host() == host)
    }

    /// Records the verdict of one host build on a library. It replaces the earlier verdict of this
    /// host build.
    pub(crate) fn record(&mut self, sha256: &str, verdict: ProbeVerdict) {
        let verdicts = self.verdicts.entry(sha256.to_owned()).or_default();
        verdicts.retain(|earlier| earlier.host() != verdict.host());
        verdicts.push(verdict);
        let n_excess = verdicts.len().saturating_sub(MAX_HOSTS);
        verdicts.drain(..n_excess);
    }

    /// Records the result of an examination of a file. A build that passed becomes the file's next
    /// generation, unless it was withdrawn meanwhile.
    pub(crate) fn record_finding(&mut self, path: &Path, Finding { sha256, content, verdict }: &Finding, now: &str) {
        if let Some(verdict) = verdict {
            self.record(sha256, verdict.clone());
        }
        let file = self.files.entry(path.to_owned()).or_default();
        file.postponed = None;
        let Some(content) = content else { return };
        let manifest = verdict.as_ref().and_then(ProbeVerdict::manifest);
        if let Some(Manifest { version, .. }) = manifest.filter(|_| !file.withdrawn.contains_key(sha256)) {
            let library_dirs = content.library_dirs.clone();
            let build = LibraryBuild { sha256: sha256.clone(), version: version.clone(), library_dirs };
            file.generations.publish(build, now);
        }
        file.content = Some(content.clone());
    }

    /// Records that the examination of a file had no result.
    pub(crate) fn postpone(&mut self, path: &Path, postponed: PostponedExamination) {
        self.files.entry(path.to_owned()).or_default().postponed = Some(postponed);
    }

    /// Removes the verdict that one host build recorded for the active generation of a file.
    pub(crate) fn forget_active(&mut self, path: &Path, host: &str) {
        let sha256 = self.active(path).map(|active| active.sha256.clone());
        if let Some(verdicts) = sha256.and_then(|sha256| self.verdicts.get_mut(&sha256)) {
            verdicts.retain(|verdict| verdict.host() != host);
        }
    }

    /// Returns the active build of a file.
    pub(crate) fn active(&self, path: &Path) -> Option<&LibraryBuild> {
        Some(&self.files.get(path)?.generations.current()?.build)
    }

    /// Returns why a build was withdrawn from a file.
    pub(crate) fn withdrawn_reason(&self, path: &Path, sha256: &str) -> Option<&str> {
        self.files.get(path)?.withdrawn.get(sha256).map(String::as_str)
    }

    /// Returns every plugin id that the generations of a file have declared.
    pub(crate) fn ids(&self, path: &Path) -> BTreeSet<&str> {
        let all = self.files.get(path).map(|file| file.generations.all()).unwrap_or_default();
        let verdicts = all.iter().filter_map(|generation| self.verdicts.get(&generation.build.sha256)).flatten();
        verdicts.filter_map(ProbeVerdict::manifest).map(|manifest| manifest.id.as_str()).collect()
    }

    /// Returns whether the current bytes or a generation of any file have this SHA-256.
    pub(crate) fn refers_to(&self, sha256: &str) -> bool {
        self.files.values().any(|file| {
            file.content.as_ref().is_some_and(|content| content.sha256 == sha256)
                || file.generations.all().iter().any(|generation| generation.build.sha256 == sha256)
        })
    }

    /// Removes the records of files that no longer exist, and the verdicts to which no file refers.
    /// If a removed record is needed again, the next scan restores it.
    pub(super) fn remove_unreferenced(&mut self) {
        // The record of a removed file keeps its generations: `predict` uses them to find the
        // library of an old model, and a republished file continues their numbers.
        self.files.retain(|path, file| file.generations.current().is_some() || path.exists());
        // The keys are collected first, because `refers_to` borrows the journal. A `BTreeMap`
        // yields the keys sorted.
        let referred: Vec<_> = self.verdicts.keys().filter(|sha256| self.refers_to(sha256)).cloned().collect();
        self.verdicts.retain(|sha256, _| referred.binary_search(sha256).is_ok());
    }

    /// Removes unused records if there are too many verdicts.
    pub(super) fn limit_verdicts(&mut self) {
        if self.verdicts.len() > MAX_VERDICTS {
            self.remove_unreferenced();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_build_has_its_own_verdict() {
        let mut journal = Journal::default();
        let failed =
            |host: &str, reason: &str| ProbeVerdict::Failed { host: host.to_owned(), reason: reason.to_owned() };
        for host in ["one", "other", "one"] {
            journal.record("aa", failed(host, host));
        }
        assert_eq!(journal.verdict("aa", "other"), Some(&failed("other", "other")));
        assert_eq!(journal.verdicts["aa"].len(), 2);
        (0..10).for_each(|build| journal.record("aa", failed(&format!("{build}"), "")));
        assert_eq!(journal.verdicts["aa"].len(), MAX_HOSTS, "verdicts of old host builds are removed");
        assert_eq!(journal.verdict("aa", "one"), None);
    }

    #[test]
    fn a_postponed_examination_is_repeated_at_once_in_another_environment_of_the_loader() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file_id = FileId::from_path(file.path()).unwrap();
        let reason = "needs `libtorch_cpu.so`".to_owned();
        let postponed = PostponedExamination { file_id, reason: reason.clone(), environment: "one".to_owned() };
        let mut journal = Journal::default();
        journal.postpone(file.path(), postponed);
        let record = &journal.files[file.path()];
        assert_eq!(record.postponed_reason(file_id), Some(reason.as_str()));
        assert!(record.is_postponed(file_id, "one") && !record.is_postponed(file_id, "other"));
    }
}
