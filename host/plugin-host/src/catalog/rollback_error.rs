//! The reasons why a plugin cannot be rolled back.

use std::path::PathBuf;

use super::generations::SkippedBuild;

/// The reason why a rollback was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RollbackError {
    /// No file in the folder contains or contained the plugin.
    #[error("no plugin `{id}` in {}; installed: {}", .folder.display(), .installed.join(", "))]
    NoPlugin { id: String, folder: PathBuf, installed: Vec<String> },
    /// More than one file contains or contained the plugin.
    #[error("more than one file contains the plugin `{id}`; remove all but one of {paths:?}")]
    SeveralFiles { id: String, paths: Vec<PathBuf> },
    /// The selected build is already active.
    #[error("the build {0} is already active")]
    AlreadyActive(String),
    /// More than one build matches the given digits of a hash.
    #[error("more than one build begins with {0}; pass more digits of the hash")]
    Ambiguous(String),
    /// No build matches. The value lists the first digits of every build that is not active.
    #[error(
        "no earlier build matches; `--to` accepts one of these, including those that were withdrawn: {}",
        if .0.is_empty() { "none".to_owned() } else { .0.join(", ") }
    )]
    NoMatch(Vec<String>),
    /// No earlier build may become active and has a clean record. The value lists all of them.
    #[error(
        "no earlier build has a clean record; publish a fixed build, or choose one of these with --to: {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    NoClean(Vec<SkippedBuild>),
    /// The build is not trusted, so it is not opened.
    #[error("the build {0} is not listed in PLUGINS_TRUSTED")]
    NotTrusted(String),
    /// The private copy of the build was removed.
    #[error("the build {0} is no longer in the store; publish it again")]
    NotStored(String),
    /// The build failed its examination.
    #[error("the build {sha256} {reason}")]
    Failed { sha256: String, reason: String },
}
