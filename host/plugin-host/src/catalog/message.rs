//! Messages to the owner of the catalog.

use std::sync::mpsc::Sender;

use super::examine::ExamineError;
use super::journal::Finding;
use super::quarantine::RollBack;
use super::schedule::Task;
use super::status::Knowledge;
use crate::health::PluginHealth;

/// Sends the reply to a caller that waits for it.
pub(super) type ReplySender<T> = Sender<anyhow::Result<T>>;

/// A request to the owner, or the result of a thread that it has started.
pub(super) enum Message {
    /// Watch the folder from now on, and examine once more what is active by a verdict of the journal.
    Watch,
    /// Something in the folder may have changed.
    PathChanged,
    /// Scan the folder, and answer once everything new in it is examined.
    Scan(ReplySender<()>),
    /// An examination has ended.
    Probed(Task, Result<Finding, ExamineError>),
    /// Count a job for these plugins, and answer once the snapshot is published.
    JobEnded(Vec<PluginHealth>, ReplySender<()>),
    /// Make an earlier content active, and answer once the snapshot is published.
    RollBack(RollBack, ReplySender<()>),
    /// Answer with what is known now.
    GetKnowledge(ReplySender<Knowledge>),
    /// End.
    Close,
}
