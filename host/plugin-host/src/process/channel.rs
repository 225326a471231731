//! The state that the handle of a plugin process and its watcher share: the control channel, the
//! calls that wait for a reply, and the death of the process.
//!
//! Invariant: every call that waits gets its reply, or sees its receiver close after the death is set.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{OnceLock, mpsc};

use oculus_system::control;
use parking_lot::Mutex;

use super::death::{Death, DeathCause};
use crate::protocol::{Event, HostMessage};

/// This side's end of a control channel.
pub(super) struct ProcessChannel {
    stream: UnixStream,
    /// Held while a frame is written, so that frames stay whole.
    writing: Mutex<()>,
    /// Receivers of events, by the id of their request; `None` once the process has ended.
    waiting: Mutex<Option<HashMap<u64, mpsc::Sender<Event>>>>,
    /// Why this side ends the process.
    kill_cause: OnceLock<DeathCause>,
    death: OnceLock<Death>,
}

impl ProcessChannel {
    /// Creates the channel of a living process.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            writing: Mutex::default(),
            waiting: Mutex::new(Some(HashMap::new())),
            kill_cause: OnceLock::new(),
            death: OnceLock::new(),
        }
    }

    /// Registers a request, and returns the receiver of its events; `None` once the process has ended.
    pub(super) fn register(&self, id: u64) -> Option<mpsc::Receiver<Event>> {
        let (sender, events) = mpsc::channel();
        self.waiting.lock().as_mut()?.insert(id, sender);
        Some(events)
    }

    /// Sends an event to the receiver of its request. A reply is the last event of a request.
    pub(super) fn deliver(&self, event: Event) {
        let Some(id) = event.id() else { return };
        let mut waiting = self.waiting.lock();
        let Some(waiting) = waiting.as_mut() else { return };
        let sender = if matches!(event, Event::Reply { .. }) { waiting.remove(&id) } else { waiting.get(&id).cloned() };
        if let Some(sender) = sender {
            let _ = sender.send(event);
        }
    }

    pub(super) fn send(&self, message: &HostMessage) -> io::Result<()> {
        self.write(&postcard::to_stdvec(message).map_err(io::Error::other)?)
    }

    pub(super) fn write(&self, body: &[u8]) -> io::Result<()> {
        let _whole = self.writing.lock();
        control::write_frame(&mut &self.stream, body)
    }

    /// Ends the process for a reason of this side. The first reason is kept.
    pub(super) fn kill_for(&self, cause: DeathCause) {
        let _ = self.kill_cause.set(cause);
        self.end();
    }

    /// Returns why this side has ended the process.
    pub(super) fn kill_cause(&self) -> Option<DeathCause> {
        self.kill_cause.get().cloned()
    }

    /// Shuts the channel down, which ends the process.
    pub(super) fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Records the death of the process, and wakes every caller that waits for a reply.
    pub(super) fn close(&self, death: Death) {
        let _ = self.death.set(death);
        // Without their senders the receivers close.
        *self.waiting.lock() = None;
    }

    /// Waits for the death of the process.
    pub(super) fn death(&self) -> Death {
        self.death.wait().clone()
    }
}
