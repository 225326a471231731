//! The state that the handle and the watcher of a plugin process share. It contains the control
//! channel, the calls that wait for a reply, and the death of the process.
//!
//! Invariant: every waiting call receives its reply, or its receiver closes after the death is
//! recorded.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{OnceLock, mpsc};

use oculus_system::control;
use parking_lot::Mutex;

use super::death::{Death, DeathCause};
use crate::protocol::{Event, HostMessage};

/// The host's end of a control channel.
pub(super) struct ProcessChannel {
    stream: UnixStream,
    /// This lock is held while a frame is written, so that frames of different threads do not mix.
    writing: Mutex<()>,
    /// The sender of the events of each request, by request id. It is `None` after the process has
    /// terminated.
    waiting: Mutex<Option<HashMap<u64, mpsc::Sender<Event>>>>,
    /// The reason why the host kills the process.
    kill_cause: OnceLock<DeathCause>,
    death: OnceLock<Death>,
}

impl ProcessChannel {
    /// Creates the channel of a running process.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            writing: Mutex::default(),
            waiting: Mutex::new(Some(HashMap::new())),
            kill_cause: OnceLock::new(),
            death: OnceLock::new(),
        }
    }

    /// Registers a request and returns the receiver of its events, or `None` if the process has
    /// terminated.
    pub(super) fn register(&self, id: u64) -> Option<mpsc::Receiver<Event>> {
        let (sender, events) = mpsc::channel();
        self.waiting.lock().as_mut()?.insert(id, sender);
        Some(events)
    }

    /// Passes an event to the receiver of its request. A reply is the last event of a request, so
    /// it removes the request.
    pub(super) fn deliver(&self, event: Event) {
        let Some(id) = event.id() else { return };
        let mut waiting = self.waiting.lock();
        let Some(waiting) = waiting.as_mut() else { return };
        let sender = if matches!(event, Event::Reply { .. }) { waiting.remove(&id) } else { waiting.get(&id).cloned() };
        if let Some(sender) = sender {
            // The caller may have stopped waiting, for example because the process was silent.
            let _ = sender.send(event);
        }
    }

    /// Sends one message to the process.
    pub(super) fn send(&self, message: &HostMessage) -> io::Result<()> {
        self.write(&postcard::to_stdvec(message).map_err(io::Error::other)?)
    }

    /// Writes one frame.
    pub(super) fn write(&self, body: &[u8]) -> io::Result<()> {
        let _guard = self.writing.lock();
        control::write_frame(&mut &self.stream, body)
    }

    /// Terminates the process for a reason that the host states. Only the first reason is recorded.
    pub(super) fn kill_for(&self, cause: DeathCause) {
        let _ = self.kill_cause.set(cause);
        self.terminate();
    }

    /// Returns the reason why the host killed the process, or `None` if the host did not kill it.
    pub(super) fn kill_cause(&self) -> Option<DeathCause> {
        self.kill_cause.get().cloned()
    }

    /// Shuts down the channel, which makes the process terminate.
    pub(super) fn terminate(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Records the death of the process, and wakes every caller that waits for a reply.
    pub(super) fn close(&self, death: Death) {
        let _ = self.death.set(death);
        // Dropping the senders closes the receivers. The death is set before that, because a woken
        // caller reads it.
        *self.waiting.lock() = None;
    }

    /// Waits for the death of the process and returns it.
    pub(super) fn death(&self) -> Death {
        self.death.wait().clone()
    }
}
