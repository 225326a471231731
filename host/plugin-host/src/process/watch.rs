//! Watches one plugin process until it terminates. The watcher reads the events of the process,
//! enforces its memory limit, kills it with everything that it has started, and reaps it.

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

/// Receives every event of a process, including the events of requests.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Interval between two checks of a process. A check takes a few microseconds on Linux, but it
/// starts a program on macOS.
const CHECK_INTERVAL: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 25 } else { 1000 });
/// The longest wait for the last events of a dead process.
const LAST_EVENTS_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest wait for the last output of a dead process. A program that left the process group
/// may keep the pipes open.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// A process and the thread that watches it.
pub(super) struct ProcessWatcher {
    pub(super) child: Child,
    pub(super) name: String,
    pub(super) listener: Listener,
    pub(super) memory: MemoryLimit,
    pub(super) channel: Arc<ProcessChannel>,
}

impl ProcessWatcher {
    /// Watches the process until it terminates, then records its death in the channel.
    pub(super) fn run(mut self, input: UnixStream) {
        let label = OutputLabel { plugin: Some(self.name.clone()), job: None };
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let output = ChildOutput::read(stdout, stderr, label, LogAllowance::limited());
        let reported = self.supervise(input);
        // The memory is checked again, because the kernel may just have killed the process for
        // exceeding the limit of its control group.
        self.check_memory();
        self.kill();
        // The process is also killed by its id, because it may have left its process group.
        let _ = self.child.kill();
        let status = self.child.wait();
        let by_status = || match status {
            Ok(status) => DeathCause::Exited(ExitCause::from(status)),
            Err(error) => DeathCause::Unknown(error.to_string()),
        };
        // If the host killed the process, the host's reason explains the exit status. A reason that
        // the process reported is more precise than the exit status.
        let cause = self.channel.kill_cause().or(reported).unwrap_or_else(by_status);
        let [stdout, stderr] = output.last_lines(OUTPUT_TIMEOUT);
        self.channel.close(Death { cause, stdout, stderr });
    }

    /// Watches the process until its channel closes, and returns the cause that the process itself
    /// reported, if any.
    fn supervise(&self, mut input: UnixStream) -> Option<DeathCause> {
        let (sender, finished) = mpsc::channel();
        let reader = EventReader { listener: Arc::clone(&self.listener), channel: Arc::clone(&self.channel) };
        let read = move || _ = sender.send(reader.read_all(&mut input));
        std::thread::Builder::new().name(format!("events-{}", self.child.id())).spawn(read).ok()?;
        loop {
            match finished.recv_timeout(CHECK_INTERVAL) {
                Ok(reported) => return reported,
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) if self.has_exited() => {
                    // The process has terminated, but a program that it started holds the other end
                    // of the channel, so the channel does not close.
                    let reported = finished.recv_timeout(LAST_EVENTS_TIMEOUT);
                    self.channel.terminate();
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

    /// Returns whether the process has terminated. This check does not reap the process, so that
    /// its id stays reserved until [`Self::kill`].
    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))))
    }

    /// Kills the process and everything in its group. The process is not reaped yet, so its id
    /// cannot belong to another process.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

/// Reads the events of a process on a separate thread.
struct EventReader {
    listener: Listener,
    channel: Arc<ProcessChannel>,
}

impl EventReader {
    /// Passes every event to the listener and to the caller of its request until the channel
    /// closes. Returns the cause of death if the process reported that it cannot continue or sent
    /// an invalid message.
    fn read_all(&self, input: &mut UnixStream) -> Option<DeathCause> {
        loop {
            let frame = match control::read_frame(input) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(_) => return None,
            };
            match postcard::from_bytes(&frame) {
                Ok(Event::Unusable { reason, is_transient: true }) => return Some(DeathCause::MissingLibrary(reason)),
                Ok(Event::Unusable { reason, is_transient: false }) => return Some(DeathCause::Unusable(reason)),
                Ok(event) => {
                    (self.listener)(&event);
                    self.channel.deliver(event);
                }
                Err(error) => return Some(DeathCause::Malformed(error.to_string())),
            }
        }
    }
}
