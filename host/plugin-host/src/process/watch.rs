//! Watches one plugin process to its end: hears it, keeps it within its memory, reaps it with all that it has started.

use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::death::{Death, DeathCause};
use super::{Listener, Shared};
use crate::memory::MemoryLimit;
use crate::protocol::Event;
use oculus_system::child::{ChildOutput, ExitCause, LogAllowance, OutputLabel};
use oculus_system::control;

/// Between two looks at a process. A look costs a few microseconds on Linux, and starts a program on macOS.
const PACE: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 25 } else { 1000 });
/// How long what a dead process has said may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long pipes may stay open that something outside the process's group still holds.
const LINGERING: Duration = Duration::from_millis(500);

/// One process under watch, on a thread of its own.
pub(super) struct Watch {
    pub(super) child: Child,
    pub(super) name: String,
    pub(super) listener: Listener,
    pub(super) memory: MemoryLimit,
    pub(super) shared: Arc<Shared>,
}

impl Watch {
    pub(super) fn run(mut self, input: UnixStream) {
        let label = OutputLabel { plugin: Some(self.name.clone()), job: None };
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let output = ChildOutput::read(stdout, stderr, label, LogAllowance::limited());
        let reported = self.supervise(input);
        // Once more: a group's limit shows when the kernel has killed by it.
        self.check_memory();
        self.kill();
        // Also one that has left its group.
        let _ = self.child.kill();
        let status = self.child.wait();
        let by_status = || match status {
            Ok(status) => DeathCause::Exited(ExitCause::from(status)),
            Err(error) => DeathCause::Unknown(error.to_string()),
        };
        let cause = self.shared.verdict.get().cloned().or(reported).unwrap_or_else(by_status);
        let [stdout, stderr] = output.last_lines(LINGERING);
        _ = self.shared.death.set(Death { cause, stdout, stderr });
        // Whoever waits hears of it by the end of its sender.
        *self.shared.waiting() = None;
    }

    /// Stays with the process until its channel has ended; returns its own word on why it cannot go on.
    fn supervise(&self, mut input: UnixStream) -> Option<DeathCause> {
        let (sender, silenced) = mpsc::channel();
        let ear = Ear { listener: Arc::clone(&self.listener), shared: Arc::clone(&self.shared) };
        let listen = move || _ = sender.send(ear.listen(&mut input));
        std::thread::Builder::new().name(format!("ear-{}", self.child.id())).spawn(listen).ok()?;
        loop {
            match silenced.recv_timeout(PACE) {
                Ok(said) => return said,
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) if self.has_exited() => {
                    // Something that it started still holds its end of the channel.
                    let said = silenced.recv_timeout(LAST_WORDS);
                    self.shared.end();
                    return said.ok().flatten();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.check_memory(),
            }
        }
    }

    fn check_memory(&self) {
        if self.memory.is_exceeded() {
            self.shared.kill_for(DeathCause::OutOfMemory(self.memory.limit_bytes()));
        }
    }

    /// Whether it has ended, which leaves it to be reaped.
    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))))
    }

    /// Kills it with all that it has started. It is not yet waited for, so its number cannot have passed on to another.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

/// Hears what a process says, on a thread of its own.
struct Ear {
    listener: Listener,
    shared: Arc<Shared>,
}

impl Ear {
    /// Hands on all messages, to whoever waits and to the listener; returns the process's own word on why it cannot go
    /// on.
    fn listen(&self, input: &mut UnixStream) -> Option<DeathCause> {
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
                    self.hand_on(event);
                }
                Err(error) => return Some(DeathCause::Malformed(error.to_string())),
            }
        }
    }

    fn hand_on(&self, event: Event) {
        let mut waiting = self.shared.waiting();
        let (Some(waiting), Some(id)) = (waiting.as_mut(), event.id()) else { return };
        let sender = if matches!(event, Event::Reply { .. }) { waiting.remove(&id) } else { waiting.get(&id).cloned() };
        if let Some(sender) = sender {
            let _ = sender.send(event);
        }
    }
}
