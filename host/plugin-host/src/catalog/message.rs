//! The messages that the owner thread of the catalog receives.

use std::sync::mpsc::Sender;

use super::examine::ExamineError;
use super::journal::Finding;
use super::quarantine::Rollback;
use super::schedule::Task;
use super::status::CatalogState;
use crate::config::Trust;
use crate::health::PluginHealth;

/// The end of a channel through which the owner thread replies to a waiting caller.
pub(super) type ReplySender<T> = Sender<anyhow::Result<T>>;

/// A request to the owner thread, or the result of a thread that it started.
pub(super) enum Message {
    /// Start watching the folder, and examine again the active builds whose verdict was read from
    /// the journal.
    Watch,
    /// Report that something in the folder may have changed.
    PathChanged,
    /// Scan the folder, and reply when every new file in it has been examined.
    Scan(ReplySender<()>),
    /// Report that an examination has finished.
    Probed(Task, Result<Finding, ExamineError>),
    /// Count one job for each of these plugins, and reply when the resulting snapshot is published.
    JobFinished(Vec<PluginHealth>, ReplySender<()>),
    /// Activate an earlier build, and reply when the resulting snapshot is published.
    Rollback(Rollback, ReplySender<()>),
    /// Reply with a copy of the current state.
    GetState(ReplySender<CatalogState>),
    /// Replace the rule that decides which libraries may be opened.
    SetTrust(Trust),
    /// Stop the thread.
    Close,
}
