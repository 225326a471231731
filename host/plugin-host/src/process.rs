//! A job's handle to one plugin process: it sends requests, receives replies, and reports why the
//! process died.
//!
//! The process leads its own process group. The process is killed when its handle is dropped or
//! when it exceeds one of its [`Limits`]. When the process dies, everything that it has started is
//! killed, too.

mod call_error;
mod channel;
mod death;
mod libraries;
mod watch;

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};
use oculus_system::child::child_environment;
use oculus_system::control::CONTROL_FD;
use oculus_system::process::own_executable;

pub use self::call_error::CallError;
use self::channel::ProcessChannel;
pub use self::death::{Death, DeathCause};
pub use self::watch::Listener;
use self::watch::ProcessWatcher;
use crate::gpu::GPU_FD;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::memory::MemoryLimit;
use crate::protocol::{Call, Event, Hello, HostMessage, Reply, Request, TABLE_FD};
use crate::table::SharedTable;

/// The time that a cancelled call has to finish before its process is killed.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// A plugin process. Dropping the handle terminates the process.
pub struct PluginProcess {
    /// Process id, for the log.
    pub pid: u32,
    /// The longest time during which a call may send no event.
    silence: Duration,
    channel: Arc<ProcessChannel>,
    next_id: AtomicU64,
}

/// The options with which a plugin process is started.
pub struct ProcessOptions<'a> {
    /// The library to open.
    pub library: LibraryRef<'a>,
    /// The table to map.
    pub table: Option<&'a SharedTable>,
    /// The lock file of the GPU. The plugin process inherits the file, so the GPU stays locked
    /// until that process terminates.
    pub gpu: Option<&'a File>,
    /// Limits of the process.
    pub limits: Limits,
    /// Receives every event of the process.
    pub listener: Listener,
}

impl PluginProcess {
    /// Starts a process for one library and an optional table.
    ///
    /// # Errors
    /// Returns an error if the system cannot start the process or its threads. If the library
    /// cannot be used, `start` succeeds, and the first request returns the death of the process
    /// with this cause.
    pub fn start(options: ProcessOptions<'_>) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("cannot set up the control channel")?;
        // A process that does not read its requests is as unresponsive as one that does not send
        // replies.
        ours.set_write_timeout(Some(options.limits.silence)).context("cannot set up the control channel")?;
        let child = spawn(&options, theirs)?;
        let hello = Hello {
            library: options.library.path.to_owned(),
            sha256: options.library.sha256.to_owned(),
            file_id: options.library.file_id,
            table: options.table.map(|table| table.shape.clone()),
        };
        let process = Self::watched(child, ours, options)?;
        // If the process dies before it reads this message, the first request returns the death of
        // the process.
        let _ = process.channel.write(&postcard::to_stdvec(&hello)?);
        Ok(process)
    }

    /// Starts the thread that watches a child, so that the child is always reaped.
    fn watched(mut child: Child, ours: UnixStream, options: ProcessOptions<'_>) -> Result<Self> {
        let pid = child.id();
        let stream = ours.try_clone().context("cannot set up the control channel");
        let stream = stream.inspect_err(|_| reap(&mut child))?;
        let channel = Arc::new(ProcessChannel::new(stream));
        // The memory limit is set before the process receives its library, so that it covers
        // everything that the library allocates.
        let memory = MemoryLimit::apply(pid, options.limits.memory_bytes);
        let watcher = ProcessWatcher {
            child,
            name: options.library.name.to_owned(),
            listener: options.listener,
            memory,
            channel: Arc::clone(&channel),
        };
        std::thread::Builder::new().name(format!("plugin-{pid}")).spawn(move || watcher.run(ours))?;
        Ok(Self { pid, silence: options.limits.silence, channel, next_id: AtomicU64::new(0) })
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// Returns [`CallError::Rejected`] if the plugin rejects the request, and [`CallError::Died`]
    /// if the process died before or during the call.
    pub fn call(&self, request: Request) -> Result<Reply, CallError> {
        self.call_with_events(request, &mut |_| {})
    }

    /// Sends a request, calls `on_event` for each event of the request, and returns the reply. A
    /// process that sends neither events nor a reply for longer than its limit is killed.
    ///
    /// # Errors
    /// Returns [`CallError::Rejected`] if the plugin rejects the request, and [`CallError::Died`]
    /// if the process died before or during the call.
    pub fn call_with_events(&self, request: Request, on_event: &mut dyn FnMut(&Event)) -> Result<Reply, CallError> {
        // `Relaxed` suffices, because the ids only have to differ.
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let Some(events) = self.channel.register(id) else { return Err(self.channel.death().into()) };
        match self.channel.send(&HostMessage::Call(Call { id, request })) {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => return Err(self.terminate_silent(&events).into()),
            Err(error) => {
                // A process that closed its channel is already dying, and the watcher determines
                // the cause. After any other error the process is terminated here. In both cases
                // the loop below returns the death.
                tracing::debug!(pid = self.pid, %error, "request was not delivered");
                self.terminate();
            }
        }
        loop {
            match events.recv_timeout(self.silence) {
                Ok(Event::Reply { reply: Reply::Rejected { code, message }, .. }) => {
                    return Err(CallError::Rejected { code, message });
                }
                Ok(Event::Reply { reply, .. }) => return Ok(reply),
                Ok(event) => on_event(&event),
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(self.terminate_silent(&events).into()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.channel.death().into()),
            }
        }
    }

    /// Cancels the calls of a silent process, and kills the process after a grace period.
    fn terminate_silent(&self, events: &mpsc::Receiver<Event>) -> Death {
        let cancelled = self.channel.send(&HostMessage::Cancel);
        let deadline = Instant::now() + CANCEL_GRACE;
        // The call may still finish normally, but its reply is discarded, because the call exceeded
        // the time limit.
        while cancelled.is_ok() {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Reply { .. }) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.channel.kill_for(DeathCause::Silent(self.silence));
        self.channel.death()
    }

    /// Terminates the process, and waits until all its output has been read.
    pub fn terminate_and_wait(&self) -> Death {
        self.terminate();
        self.channel.death()
    }

    /// Terminates the process immediately. Calls that wait for a reply return the death of the
    /// process.
    pub fn terminate(&self) {
        self.channel.terminate();
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // The process terminates when its channel closes, and the watcher reaps it.
        self.terminate();
    }
}

/// Starts this executable in the role of a plugin process, with a minimal environment and its own
/// process group.
fn spawn(options: &ProcessOptions<'_>, control: UnixStream) -> Result<Child> {
    let mut fds = vec![FdMapping { parent_fd: control.into(), child_fd: CONTROL_FD }];
    for (file, child_fd) in [(options.table.map(|table| &table.file), TABLE_FD), (options.gpu, GPU_FD)] {
        if let Some(file) = file {
            fds.push(FdMapping {
                parent_fd: file.try_clone().context("cannot pass a file to the plugin process")?.into(),
                child_fd,
            });
        }
    }
    let program = own_executable().context("cannot find the executable of this program")?;
    let mut command = Command::new(program);
    // The worker's environment contains secrets, such as the password of Redis, which a plugin must
    // not read.
    command.arg("plugin-process").env_clear().envs(child_environment());
    command.envs(libraries::search_path(options.library.dirs)).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).fd_mappings(fds)?;
    // When `command` is dropped, this process closes its copies of the child's files. An open copy
    // would keep the channel open after the child terminates.
    command.spawn().context("cannot start a plugin process")
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn reap(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
