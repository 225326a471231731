//! Watches one plugin process to its end: reads its events, enforces its memory limit, and reaps it with everything that
//! it has started.

use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oculus_system::child::{ChildOutput, ExitCause, LogAllowance, OutputLabel};
use oculus_system::control;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::channel::ProcessChannel;
use super::death::{Death, DeathCause};
use crate::memory::MemoryLimit;
use crate::protocol::Event;

/// Receives every event of a process, also those that belong to a request.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Between two checks of a process. A check costs a few microseconds on Linux, and starts a program on macOS.
const PACE: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 25 } else { 1000 });
/// How long the last events of a dead process may take to arrive.
const LAST_EVENTS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to read pipes that something outside the process's group still holds open.
const LINGERING: Duration = Duration::from_millis(500);

/// One process under watch, on a thread of its own.
pub(super) struct Watch {
    pub(super) child: Child,
    pub(super) name: String,
    pub(super) listener: Listener,
    pub(super) memory: MemoryLimit,
    pub(super) channel: Arc<ProcessChannel>,
}

impl Watch {
    pub(super) fn run(mut self, input: UnixStream) {
        let label = OutputLabel { plugin: Some(self.name.clone()), job: None };
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let output = ChildOutput::read(stdout, stderr, label, LogAllowance::limited());
        let reported = self.supervise(input);
        // Once more: the limit of a control group shows only when the kernel has killed by it.
        self.check_memory();
        self.kill();
        // Also if it has left its group.
        let _ = self.child.kill();
        let status = self.child.wait();
        let by_status = || match status {
            Ok(status) => DeathCause::Exited(ExitCause::from(status)),
            Err(error) => DeathCause::Unknown(error.to_string()),
        };
        let cause = self.channel.kill_cause().or(reported).unwrap_or_else(by_status);
        let [stdout, stderr] = output.last_lines(LINGERING);
        self.channel.close(Death { cause, stdout, stderr });
    }

    /// Watches the process until its channel has ended; returns the reason that the process itself has reported.
    fn supervise(&self, mut input: UnixStream) -> Option<DeathCause> {
        let (sender, ended) = mpsc::channel();
        let reader = EventReader { listener: Arc::clone(&self.listener), channel: Arc::clone(&self.channel) };
        let read = move || _ = sender.send(reader.read_all(&mut input));
        std::thread::Builder::new().name(format!("events-{}", self.child.id())).spawn(read).ok()?;
        loop {
            match ended.recv_timeout(PACE) {
                Ok(reported) => return reported,
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) if self.has_exited() => {
                    // Something that it started still holds its end of the channel.
                    let reported = ended.recv_timeout(LAST_EVENTS_TIMEOUT);
                    self.channel.end();
                    return reported.ok().flatten();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.check_memory(),
            }
        }
    }

    fn check_memory(&self) {
        if self.memory.is_exceeded() {
            self.channel.kill_for(DeathCause::OutOfMemory(self.memory.limit_bytes()));
        }
    }

    /// Returns whether it has ended. It is not reaped by this.
    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))))
    }

    /// Kills it with everything that it has started. It is not reaped yet, so its id cannot belong to another process.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

/// Reads the events of a process, on a thread of its own.
struct EventReader {
    listener: Listener,
    channel: Arc<ProcessChannel>,
}

impl EventReader {
    /// Passes every event to the listener and to the caller of its request, until the channel ends; returns the reason
    /// for which the process has reported that it cannot go on.
    fn read_all(&self, input: &mut UnixStream) -> Option<DeathCause> {
        loop {
            let frame = match control::read_frame(input) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(_) => return None,
            };
            match postcard::from_bytes(&frame) {
                Ok(Event::Unusable { reason, lacks_library: true }) => return Some(DeathCause::MissingLibrary(reason)),
                Ok(Event::Unusable { reason, lacks_library: false }) => return Some(DeathCause::Unusable(reason)),
                Ok(event) => {
                    (self.listener)(&event);
                    self.channel.deliver(event);
                }
                Err(error) => return Some(DeathCause::Malformed(error.to_string())),
            }
        }
    }
}
