//! One living plugin process, as its job sees it: requests in, replies out, and why it died.
//!
//! It leads a process group of its own, and ends with all that it has started: when the job lets go of it, when it dies,
//! and when it goes over one of its [`Limits`].

mod death;
mod libraries;
mod watch;

use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};

pub use self::death::{Death, DeathCause};
use self::watch::Watch;
use crate::gpu::GPU_FD;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::memory::MemoryLimit;
use crate::protocol::{Call, Event, Hello, Order, Reply, Request, TABLE_FD};
use crate::table::SharedTable;
use oculus_system::control::{self, CONTROL_FD};

/// How long a call may take to end by itself that was told to.
const GRACE: Duration = Duration::from_secs(2);

/// A plugin process. Dropping it ends the process.
pub struct PluginProcess {
    /// Process id, for the log.
    pub pid: u32,
    silence: Duration,
    shared: Arc<Shared>,
    next_id: AtomicU64,
}

/// What a process is started with.
pub struct Start<'a> {
    /// What it opens.
    pub library: LibraryRef<'a>,
    /// The table that it maps.
    pub table: Option<&'a SharedTable>,
    /// The file that stands for the GPU, so that it is not free before this process is gone.
    pub gpu: Option<&'a File>,
    /// What it may use.
    pub limits: Limits,
    /// Hears what it tells beside its replies.
    pub listener: Listener,
}

/// Hears what a process tells beside its replies.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

struct Shared {
    channel: UnixStream,
    /// Held while a frame is written, so that frames stay whole.
    writing: Mutex<()>,
    /// Who waits for which reply and hears what is told until then; `None` once the process is gone.
    waiting: Mutex<Option<HashMap<u64, mpsc::Sender<Event>>>>,
    /// Why this side ends the process, where it does.
    verdict: OnceLock<DeathCause>,
    death: OnceLock<Death>,
}

impl PluginProcess {
    /// Starts a process for one library and, where there is one, one table.
    ///
    /// # Errors
    /// The system's own. A library that cannot be used shows as the process's death.
    pub fn start(start: Start<'_>) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("control channel")?;
        // One that reads nothing is as silent as one that says nothing.
        ours.set_write_timeout(Some(start.limits.silence)).context("control channel")?;
        let child = spawn(&start, theirs)?;
        let hello = Hello {
            library: start.library.path.to_owned(),
            sha256: start.library.sha256.to_owned(),
            file_id: start.library.file_id,
            table: start.table.map(|table| table.shape.clone()),
        };
        let process = Self::watched(child, ours, start)?;
        // A process that dies before it has heard us is found dead by the first request.
        let _ = process.shared.write(&postcard::to_stdvec(&hello)?);
        Ok(process)
    }

    /// Puts a child under watch, so that it is reaped whatever happens to this value.
    fn watched(mut child: Child, ours: UnixStream, start: Start<'_>) -> Result<Self> {
        let (pid, Limits { memory_bytes, silence }) = (child.id(), start.limits);
        let channel = ours.try_clone().context("control channel");
        let channel = channel.inspect_err(|_| reap(&mut child))?;
        let shared = Arc::new(Shared {
            channel,
            writing: Mutex::default(),
            waiting: Mutex::new(Some(HashMap::new())),
            verdict: OnceLock::new(),
            death: OnceLock::new(),
        });
        // It has not heard yet which library to open, so the limit stands before.
        let memory = MemoryLimit::on(pid, memory_bytes);
        let (name, listener) = (start.library.name.to_owned(), start.listener);
        let watch = Watch { child, name, listener, memory, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name(format!("plugin-{pid}")).spawn(move || watch.run(ours))?;
        Ok(Self { pid, silence, shared, next_id: AtomicU64::new(0) })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The death of the process, before or meanwhile.
    pub fn call(&self, request: Request) -> Result<Reply, Death> {
        self.call_heard(request, &mut |_| {})
    }

    /// The same with an ear for what the process tells of this request until it answers. A process that neither answers
    /// nor tells anything for too long is killed.
    ///
    /// # Errors
    /// The death of the process, before or meanwhile.
    pub fn call_heard(&self, request: Request, hear: &mut dyn FnMut(&Event)) -> Result<Reply, Death> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, told) = mpsc::channel();
        match self.shared.waiting().as_mut() {
            Some(waiting) => _ = waiting.insert(id, sender),
            None => return Err(self.shared.death()),
        }
        match self.shared.send(&Order::Call(Call { id, request })) {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => return Err(self.end_silent(&told)),
            Err(error) => {
                // A process that closed its channel is dying; the watcher finds out how. Anything else ends it here.
                tracing::debug!(pid = self.pid, %error, "request not delivered");
                self.end();
            }
        }
        loop {
            match told.recv_timeout(self.silence) {
                Ok(Event::Reply { reply, .. }) => return Ok(reply),
                Ok(event) => hear(&event),
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(self.end_silent(&told)),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.shared.death()),
            }
        }
    }

    /// Tells a process that has been silent to end its calls, and kills it after a grace time.
    fn end_silent(&self, told: &mpsc::Receiver<Event>) -> Death {
        let told_to_end = self.shared.send(&Order::Cancel);
        let deadline = Instant::now() + GRACE;
        // It may end in good order now, but its answer comes too late.
        while told_to_end.is_ok() {
            match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Reply { .. }) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.shared.kill_for(DeathCause::Silent(self.silence));
        self.shared.death()
    }

    /// Ends the process and waits until all that it printed has been read.
    pub fn ended(&self) -> Death {
        self.end();
        self.shared.death()
    }

    /// Ends the process at once; whoever waits for it hears of its death.
    pub fn end(&self) {
        self.shared.end();
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // The end of the channel ends the process; the watcher reaps it.
        self.end();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u64, mpsc::Sender<Event>>>> {
        self.waiting.lock()
    }

    fn send(&self, order: &Order) -> io::Result<()> {
        self.write(&postcard::to_stdvec(order).map_err(io::Error::other)?)
    }

    fn write(&self, body: &[u8]) -> io::Result<()> {
        let _whole = self.writing.lock();
        control::write_frame(&mut &self.channel, body)
    }

    /// Ends the process for a reason of this side's.
    fn kill_for(&self, cause: DeathCause) {
        // The first reason counts.
        let _ = self.verdict.set(cause);
        self.end();
    }

    fn end(&self) {
        let _ = self.channel.shutdown(std::net::Shutdown::Both);
    }

    fn death(&self) -> Death {
        self.death.wait().clone()
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
    let program = control::own_executable().context("cannot find this program itself")?;
    let mut command = Command::new(program);
    command.arg("plugin-process").env_clear().envs(control::child_environment());
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
