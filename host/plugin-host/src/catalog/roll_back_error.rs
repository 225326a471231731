//! Why a plugin is not rolled back.

use std::path::PathBuf;

/// A roll-back that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RollBackError {
    /// No file of the folder is, or was, the plugin.
    #[error("no plugin `{id}` in {}; installed: {}", .folder.display(), .installed.join(", "))]
    NoPlugin { id: String, folder: PathBuf, installed: Vec<String> },
    /// Several files are, or were, the plugin.
    #[error("more than one file is `{id}`; remove all but one of {paths:?}")]
    SeveralFiles { id: String, paths: Vec<PathBuf> },
    /// The content is the active one.
    #[error("the content {0} is already active")]
    AlreadyActive(String),
    /// Several contents begin with the given hash.
    #[error("more than one content begins with {0}: give more of the hash")]
    Ambiguous(String),
    /// No content fits. These are all others, by the beginning of the hash.
    #[error(
        "no earlier content fits; `--to` accepts one of these, also one that was withdrawn: {}",
        if .0.is_empty() { "none".to_owned() } else { .0.join(", ") }
    )]
    NoContent(Vec<String>),
    /// The content may not be opened.
    #[error("{0} is not listed in PLUGINS_TRUSTED")]
    NotTrusted(String),
    /// The private copy of the content was removed.
    #[error("{0} is no longer in the store; publish it again")]
    NotStored(String),
    /// The content fails its examination.
    #[error("{sha256} {reason}")]
    Failed { sha256: String, reason: String },
}
