//! What is known of libraries: verdicts by content, generations by published file.
//!
//! Pure: no file, no clock. The JSON form of [`Journal`] is shared by all builds of the host that use one state folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use super::generations::{Content, Generations};
use crate::file_id::FileId;

/// Version of the JSON form.
pub(super) const VERSION: u32 = 1;
/// With more verdicts than this, those that nothing refers to are removed.
const MAX_VERDICTS: usize = 1000;
/// Builds of the host whose verdicts on one content are kept.
const MAX_HOSTS: usize = 4;

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(super) version: u32,
    /// By SHA-256 of the content: one verdict per build of the host that has examined it, the latest last.
    pub verdicts: BTreeMap<String, Vec<ProbeVerdict>>,
    /// By path of the published file.
    #[serde(rename = "slots")]
    pub files: BTreeMap<PathBuf, FileRecord>,
}

/// Result of the examination of a content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum ProbeVerdict {
    /// It may be active.
    Passed {
        /// The build of the host that examined it; another one examines it again.
        host: String,
        /// The plugin's description of itself.
        manifest: Box<Manifest>,
        /// Id of the private copy when its bytes were hashed.
        copy: Option<FileId>,
    },
    /// It failed.
    Failed {
        /// The build of the host that examined it; another one examines it again.
        host: String,
        /// Why, in at most three lines.
        reason: String,
    },
}

impl ProbeVerdict {
    fn host(&self) -> &str {
        match self {
            Self::Passed { host, .. } | Self::Failed { host, .. } => host,
        }
    }

    /// Returns the manifest of a content that has passed.
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Passed { manifest, .. } => Some(manifest),
            Self::Failed { .. } => None,
        }
    }
}

/// One published file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    /// The content that the file had when it was last read, so that it need not be read again.
    pub seen: Option<SeenContent>,
    /// Why its examination had no result, where the machine was at fault; it is repeated in the background.
    #[serde(default)]
    pub postponed: Option<Postponed>,
    /// Its active generation, and those before.
    pub generations: Generations,
    /// Contents that jobs or a user have withdrawn here, by SHA-256, and why. Elsewhere they may be active.
    #[serde(default)]
    pub withdrawn: BTreeMap<String, String>,
}

impl FileRecord {
    /// Returns the content that the file with this id has.
    pub(crate) fn seen_as(&self, file_id: FileId) -> Option<&SeenContent> {
        self.seen.as_ref().filter(|seen| seen.file_id == file_id)
    }

    /// Returns why the file with this id has no verdict yet.
    pub(crate) fn postponed_reason(&self, file_id: FileId) -> Option<&str> {
        let postponed = self.postponed.as_ref().filter(|postponed| postponed.file_id == file_id)?;
        Some(&postponed.reason)
    }
}

/// An examination without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Postponed {
    /// Id of the published file.
    #[serde(rename = "stamp")]
    pub file_id: FileId,
    /// Why, in at most three lines.
    pub reason: String,
}

/// A content, and the id of the file that had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenContent {
    /// Id of the published file.
    #[serde(rename = "stamp")]
    pub file_id: FileId,
    /// SHA-256 of its content, as hex.
    pub sha256: String,
    /// Folders in which it searches for its own shared libraries.
    #[serde(default)]
    pub library_dirs: Vec<PathBuf>,
}

/// What an examination has found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// SHA-256 of the content, as hex.
    pub sha256: String,
    /// The present content of the file; `None` if only its active generation was examined.
    pub seen: Option<SeenContent>,
    /// `None` if nothing new was found out about the content.
    pub verdict: Option<ProbeVerdict>,
}

impl Journal {
    /// Returns the verdict of a build of the host on a content.
    pub(crate) fn verdict(&self, sha256: &str, host: &str) -> Option<&ProbeVerdict> {
        self.verdicts.get(sha256)?.iter().find(|verdict| verdict.host() == host)
    }

    /// Records the verdict of a build of the host on a content, in place of its earlier one.
    pub(crate) fn record(&mut self, sha256: &str, verdict: ProbeVerdict) {
        let verdicts = self.verdicts.entry(sha256.to_owned()).or_default();
        verdicts.retain(|earlier| earlier.host() != verdict.host());
        verdicts.push(verdict);
        let n_excess = verdicts.len().saturating_sub(MAX_HOSTS);
        verdicts.drain(..n_excess);
    }

    /// Records what was found of a file. A content that has passed is its next generation, unless it was withdrawn
    /// meanwhile.
    pub(crate) fn record_finding(&mut self, path: &Path, Finding { sha256, seen, verdict }: &Finding, now: &str) {
        if let Some(verdict) = verdict {
            self.record(sha256, verdict.clone());
        }
        let file = self.files.entry(path.to_owned()).or_default();
        file.postponed = None;
        let Some(seen) = seen else { return };
        let manifest = verdict.as_ref().and_then(ProbeVerdict::manifest);
        if let Some(Manifest { version, .. }) = manifest.filter(|_| !file.withdrawn.contains_key(sha256)) {
            let library_dirs = seen.library_dirs.clone();
            let content = Content { sha256: sha256.clone(), version: version.clone(), library_dirs };
            file.generations.publish(content, now);
        }
        file.seen = Some(seen.clone());
    }

    /// Records that the examination of a file had no result.
    pub(crate) fn postpone(&mut self, path: &Path, postponed: Postponed) {
        self.files.entry(path.to_owned()).or_default().postponed = Some(postponed);
    }

    /// Removes the verdict of a build of the host on the active generation of a file.
    pub(crate) fn forget_active(&mut self, path: &Path, host: &str) {
        let sha256 = self.active(path).map(|active| active.sha256.clone());
        if let Some(verdicts) = sha256.and_then(|sha256| self.verdicts.get_mut(&sha256)) {
            verdicts.retain(|verdict| verdict.host() != host);
        }
    }

    /// Returns the active content of a file.
    pub(crate) fn active(&self, path: &Path) -> Option<&Content> {
        Some(&self.files.get(path)?.generations.current()?.content)
    }

    /// Returns why a content was withdrawn from a file.
    pub(crate) fn withdrawn_reason(&self, path: &Path, sha256: &str) -> Option<&str> {
        self.files.get(path)?.withdrawn.get(sha256).map(String::as_str)
    }

    /// Returns every plugin id that the contents of a file have had.
    pub(crate) fn ids(&self, path: &Path) -> BTreeSet<&str> {
        let all = self.files.get(path).map(|file| file.generations.all()).unwrap_or_default();
        let verdicts = all.iter().filter_map(|generation| self.verdicts.get(&generation.content.sha256)).flatten();
        verdicts.filter_map(ProbeVerdict::manifest).map(|manifest| manifest.id.as_str()).collect()
    }

    /// Returns whether a content is the present one or a generation of any file.
    pub(crate) fn refers_to(&self, sha256: &str) -> bool {
        self.files.values().any(|file| {
            file.seen.as_ref().is_some_and(|seen| seen.sha256 == sha256)
                || file.generations.all().iter().any(|generation| generation.content.sha256 == sha256)
        })
    }

    /// Removes files that are gone and verdicts that nothing refers to: both can be found out again.
    pub(super) fn tidy(&mut self) {
        self.files.retain(|path, file| file.generations.current().is_some() || path.exists());
        let referred: Vec<_> = self.verdicts.keys().filter(|sha256| self.refers_to(sha256)).cloned().collect();
        self.verdicts.retain(|sha256, _| referred.binary_search(sha256).is_ok());
    }

    /// Tidies up once there are too many verdicts.
    pub(super) fn limit(&mut self) {
        if self.verdicts.len() > MAX_VERDICTS {
            self.tidy();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builds_of_the_host_keep_their_verdicts_apart() {
        let mut journal = Journal::default();
        let failed =
            |host: &str, reason: &str| ProbeVerdict::Failed { host: host.to_owned(), reason: reason.to_owned() };
        for host in ["one", "other", "one"] {
            journal.record("aa", failed(host, host));
        }
        assert_eq!(journal.verdict("aa", "other"), Some(&failed("other", "other")));
        assert_eq!(journal.verdicts["aa"].len(), 2);
        (0..10).for_each(|build| journal.record("aa", failed(&format!("{build}"), "")));
        assert_eq!(journal.verdicts["aa"].len(), MAX_HOSTS, "old builds are forgotten");
        assert_eq!(journal.verdict("aa", "one"), None);
    }
}
