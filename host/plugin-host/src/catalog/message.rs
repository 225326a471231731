//! Messages to the owner of the catalog.

use std::sync::mpsc::Sender;

use super::journal::Finding;
use super::quarantine::RollBack;
use super::schedule::Task;
use super::snapshot::FileState;
use super::status::Knowledge;
use crate::file_id::FileId;
use crate::health::PluginHealth;

/// Answers a caller that waits until the snapshot is published.
pub(super) type DoneSender = Sender<anyhow::Result<()>>;

/// What the owner is asked, or receives from the threads that it has started.
pub(super) enum Message {
    /// Watch the folder from now on.
    Watch,
    /// Something in the folder may have changed.
    PathChanged,
    /// Scan the folder, and answer once everything new in it is examined.
    Scan(DoneSender),
    /// Examine once more what is active because the journal says so.
    ConfirmActive,
    /// An examination has ended.
    Probed {
        task: Task,
        /// Id of the published file before the examination.
        file_id: Option<FileId>,
        result: Result<Finding, FileState>,
    },
    /// A job has used these plugins.
    JobEnded(Vec<PluginHealth>, DoneSender),
    /// Make an earlier content active.
    RollBack(RollBack, DoneSender),
    /// Send what is known.
    Know(Sender<Knowledge>),
    /// End.
    Close,
}
