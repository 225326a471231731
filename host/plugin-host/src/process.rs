//! One living plugin process, as its job sees it: requests in, replies out, and why it died.
//!
//! It leads a process group of its own. The process and everything that it has started end when the job drops it, when
//! it dies, and when it exceeds one of its [`Limits`].

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
use self::watch::Watch;
use crate::gpu::GPU_FD;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::memory::MemoryLimit;
use crate::protocol::{Call, Event, Hello, HostMessage, Reply, Request, TABLE_FD};
use crate::table::SharedTable;

/// How long a cancelled call may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A plugin process. Dropping it ends the process.
pub struct PluginProcess {
    /// Process id, for the log.
    pub pid: u32,
    silence: Duration,
    channel: Arc<ProcessChannel>,
    next_id: AtomicU64,
}

/// What a process is started with.
pub struct Start<'a> {
    /// The library to open.
    pub library: LibraryRef<'a>,
    /// The table to map.
    pub table: Option<&'a SharedTable>,
    /// The lock file of the GPU: the process inherits it, so the GPU is free only once the process has ended.
    pub gpu: Option<&'a File>,
    /// Limits of the process.
    pub limits: Limits,
    /// Receives every event of the process.
    pub listener: Listener,
}

impl PluginProcess {
    /// Starts a process for one library and, if there is one, one table.
    ///
    /// # Errors
    /// The error of the system. A library that cannot be used shows as the process's death.
    pub fn start(start: Start<'_>) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("control channel")?;
        // A process that reads nothing is as silent as one that sends nothing.
        ours.set_write_timeout(Some(start.limits.silence)).context("control channel")?;
        let child = spawn(&start, theirs)?;
        let hello = Hello {
            library: start.library.path.to_owned(),
            sha256: start.library.sha256.to_owned(),
            file_id: start.library.file_id,
            table: start.table.map(|table| table.shape.clone()),
        };
        let process = Self::watched(child, ours, start)?;
        // If the process dies before it reads this, the first request returns its death.
        let _ = process.channel.write(&postcard::to_stdvec(&hello)?);
        Ok(process)
    }

    /// Puts a child under watch, so that it is reaped whatever happens to this value.
    fn watched(mut child: Child, ours: UnixStream, start: Start<'_>) -> Result<Self> {
        let pid = child.id();
        let stream = ours.try_clone().context("control channel");
        let stream = stream.inspect_err(|_| reap(&mut child))?;
        let channel = Arc::new(ProcessChannel::new(stream));
        // Before the process is sent its library, so that everything it opens is within the limit.
        let memory = MemoryLimit::on(pid, start.limits.memory_bytes);
        let watch = Watch {
            child,
            name: start.library.name.to_owned(),
            listener: start.listener,
            memory,
            channel: Arc::clone(&channel),
        };
        std::thread::Builder::new().name(format!("plugin-{pid}")).spawn(move || watch.run(ours))?;
        Ok(Self { pid, silence: start.limits.silence, channel, next_id: AtomicU64::new(0) })
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// The refusal of the plugin, or the death of the process before or during the call.
    pub fn call(&self, request: Request) -> Result<Reply, CallError> {
        self.call_with_events(request, &mut |_| {})
    }

    /// Sends a request and waits for the reply, and calls `on_event` for each other event of the request. A process that
    /// sends neither for longer than its limit is killed.
    ///
    /// # Errors
    /// The refusal of the plugin, or the death of the process before or during the call.
    pub fn call_with_events(&self, request: Request, on_event: &mut dyn FnMut(&Event)) -> Result<Reply, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let Some(events) = self.channel.register(id) else { return Err(self.channel.death().into()) };
        match self.channel.send(&HostMessage::Call(Call { id, request })) {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => return Err(self.end_silent(&events).into()),
            Err(error) => {
                // A process that closed its channel is dying, and the watcher finds out why. Anything else ends it here.
                tracing::debug!(pid = self.pid, %error, "request not delivered");
                self.end();
            }
        }
        loop {
            match events.recv_timeout(self.silence) {
                Ok(Event::Reply { reply: Reply::Refused { code, message }, .. }) => {
                    return Err(CallError::Refused { code, message });
                }
                Ok(Event::Reply { reply, .. }) => return Ok(reply),
                Ok(event) => on_event(&event),
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(self.end_silent(&events).into()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.channel.death().into()),
            }
        }
    }

    /// Cancels the calls of a process that has been silent, and kills it after a grace time.
    fn end_silent(&self, events: &mpsc::Receiver<Event>) -> Death {
        let cancelled = self.channel.send(&HostMessage::Cancel);
        let deadline = Instant::now() + GRACE;
        // The call may still end in good order, but its reply is too late.
        while cancelled.is_ok() {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Reply { .. }) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.channel.kill_for(DeathCause::Silent(self.silence));
        self.channel.death()
    }

    /// Ends the process and waits until everything that it printed has been read.
    pub fn ended(&self) -> Death {
        self.end();
        self.channel.death()
    }

    /// Ends the process at once. Calls that wait for a reply return its death.
    pub fn end(&self) {
        self.channel.end();
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // The end of the channel ends the process; the watcher reaps it.
        self.end();
    }
}

/// This executable in the role of a plugin process, with an emptied environment and a process group of its own.
fn spawn(start: &Start<'_>, control: UnixStream) -> Result<Child> {
    let mut fds = vec![FdMapping { parent_fd: control.into(), child_fd: CONTROL_FD }];
    for (file, child_fd) in [(start.table.map(|table| &table.file), TABLE_FD), (start.gpu, GPU_FD)] {
        if let Some(file) = file {
            fds.push(FdMapping { parent_fd: file.try_clone().context("inherited file")?.into(), child_fd });
        }
    }
    let program = own_executable().context("cannot find this program itself")?;
    let mut command = Command::new(program);
    command.arg("plugin-process").env_clear().envs(child_environment());
    command.envs(libraries::search_path(start.library.dirs)).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).fd_mappings(fds)?;
    // The child's ends of the channel close here with the command.
    command.spawn().context("cannot start a plugin process")
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn reap(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
