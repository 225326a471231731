//! One living plugin process, as its job sees it: requests in, replies out, and why it died.

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, Result};
use command_fds::{CommandFdExt, FdMapping};

use crate::control::{self, CONTROL_FD};
use crate::logging;
use crate::plugins::gpu::GPU_FD;
use crate::plugins::protocol::{Call, Event, Hello, Reply, Request, TABLE_FD};

/// Lines of a process's output that are kept for its obituary.
const KEPT_LINES: usize = 50;

/// A plugin process. Dropping it ends the process.
pub struct PluginProcess {
    /// Process id, for the log.
    pub pid: u32,
    shared: Arc<Shared>,
    next_id: AtomicU64,
}

/// Open files that a process inherits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inherited<'a> {
    /// The table.
    pub table: Option<&'a File>,
    /// The file that stands for the GPU, so that it is not free before this process is gone.
    pub gpu: Option<&'a File>,
}

/// Why a process is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Death {
    /// Signal or exit code in words, or what the process itself said.
    pub cause: String,
    /// Last lines on its stderr.
    pub stderr: Vec<String>,
    /// Whether the cause is its own word, that the library cannot be used.
    pub is_unusable: bool,
    /// Whether all that the library wants is a shared library.
    pub lacks_library: bool,
}

struct Shared {
    out: Mutex<UnixStream>,
    /// Who waits for which reply and hears what is told until then; `None` once the process is gone.
    waiting: Mutex<Option<HashMap<u64, mpsc::Sender<Event>>>>,
    death: OnceLock<Death>,
}

/// Hears what a process tells beside its replies.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl PluginProcess {
    /// Starts a process for one library and, where there is one, one table.
    ///
    /// # Errors
    /// The system's own. A library that cannot be used shows as the process's death.
    pub fn start(hello: &Hello, table: Option<&File>, listener: Listener) -> Result<Self> {
        Self::start_with(hello, Inherited { table, gpu: None }, listener)
    }

    /// The same with all that a process may inherit.
    ///
    /// # Errors
    /// As of [`PluginProcess::start`].
    pub fn start_with(hello: &Hello, inherited: Inherited<'_>, listener: Listener) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("control channel")?;
        let mut fds = vec![FdMapping { parent_fd: theirs.into(), child_fd: CONTROL_FD }];
        for (file, child_fd) in [(inherited.table, TABLE_FD), (inherited.gpu, GPU_FD)] {
            if let Some(file) = file {
                fds.push(FdMapping { parent_fd: file.try_clone().context("inherited file")?.into(), child_fd });
            }
        }
        let program = control::own_executable().context("cannot find this program itself")?;
        let mut command = Command::new(program);
        command.arg("plugin-process").env_clear().envs(control::child_environment()).envs(library_path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).fd_mappings(fds)?;
        let child = command.spawn().context("cannot start a plugin process")?;
        // The child's ends of the channel close with it.
        drop(command);
        let process = Self::watched(child, ours, hello, listener)?;
        // A process that dies before it has heard us is found dead by the first request.
        let hello = postcard::to_stdvec(hello)?;
        let _ = control::write_frame(&mut *process.shared.out(), &hello);
        Ok(process)
    }

    /// Puts a child under watch, so that it is reaped whatever happens to this value.
    fn watched(mut child: Child, ours: UnixStream, hello: &Hello, listener: Listener) -> Result<Self> {
        let pid = child.id();
        let out = ours.try_clone().context("control channel");
        let out = out.inspect_err(|_| reap(&mut child))?;
        let shared = Arc::new(Shared {
            out: Mutex::new(out),
            waiting: Mutex::new(Some(HashMap::new())),
            death: OnceLock::new(),
        });
        let name = hello.library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let watch = Watch { child, name, listener, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name(format!("plugin-{pid}")).spawn(move || watch.run(ours))?;
        Ok(Self { pid, shared, next_id: AtomicU64::new(0) })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The death of the process, before or meanwhile.
    pub fn call(&self, request: Request) -> Result<Reply, Death> {
        self.call_heard(request, &mut |_| {})
    }

    /// The same with an ear for what the process tells of this request until it answers.
    ///
    /// # Errors
    /// The death of the process, before or meanwhile.
    pub fn call_heard(&self, request: Request, hear: &mut dyn FnMut(&Event)) -> Result<Reply, Death> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel();
        match self.shared.waiting().as_mut() {
            Some(waiting) => _ = waiting.insert(id, sender),
            None => return Err(self.shared.death()),
        }
        if let Err(cause) = self.shared.send(&Call { id, request }) {
            // A process that closed its channel is dying; the watcher finds out how. Anything else ends it here.
            tracing::debug!(pid = self.pid, %cause, "request not delivered");
            self.end();
        }
        loop {
            match receiver.recv() {
                Ok(Event::Reply { reply, .. }) => return Ok(reply),
                Ok(event) => hear(&event),
                Err(_) => return Err(self.shared.death()),
            }
        }
    }

    /// Ends the process at once; whoever waits for it hears of its death.
    pub fn end(&self) {
        let _ = self.shared.out().shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // The end of the channel ends the process; the watcher reaps it.
        self.end();
    }
}

impl Shared {
    fn out(&self) -> std::sync::MutexGuard<'_, UnixStream> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, mpsc::Sender<Event>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, call: &Call) -> Result<()> {
        let body = postcard::to_stdvec(call)?;
        Ok(control::write_frame(&mut *self.out(), &body)?)
    }

    fn death(&self) -> Death {
        self.death.wait().clone()
    }
}

/// Where a plugin process looks for shared libraries first.
const LIBRARY_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The search path of shared libraries with `$LIBTORCH/lib` in front; nothing where LIBTORCH is not set.
fn library_path() -> Option<(&'static str, OsString)> {
    let libtorch = std::env::var_os("LIBTORCH").filter(|folder| !folder.is_empty())?;
    Some((LIBRARY_PATH, with_libraries_of(&libtorch, std::env::var_os(LIBRARY_PATH).as_deref())))
}

fn with_libraries_of(folder: &OsStr, path: Option<&OsStr>) -> OsString {
    let mut path_after = Path::new(folder).join("lib").into_os_string();
    // An empty entry would mean the working folder.
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        path_after.push(":");
        path_after.push(path);
    }
    path_after
}

fn reap(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads one process to its end, on a thread of its own.
struct Watch {
    child: Child,
    name: String,
    listener: Listener,
    shared: Arc<Shared>,
}

impl Watch {
    fn run(mut self, mut input: UnixStream) {
        let (ended, all_ended) = mpsc::channel();
        let stdout = self.child.stdout.take().map(|pipe| keep_lines(&self.name, pipe, ended.clone()));
        let stderr = self.child.stderr.take().map(|pipe| keep_lines(&self.name, pipe, ended));
        let said = self.listen(&mut input);
        // Its channel has ended: so does the process, whatever it still does.
        let _ = self.child.kill();
        let status = self.child.wait();
        // Its pipes end with it, unless it left children that hold them: those are not waited for.
        while all_ended.recv_timeout(Duration::from_millis(500)).is_ok() {}
        let kept = |lines: Option<Kept>| lines.map(|lines| lines.take()).unwrap_or_default();
        drop(kept(stdout));
        let mut death = said.unwrap_or_default();
        death.stderr = kept(stderr);
        if death.cause.is_empty() {
            death.cause = status.map_or_else(|error| error.to_string(), in_words);
        }
        _ = self.shared.death.set(death);
        // Whoever waits hears of it by the end of its sender.
        *self.shared.waiting() = None;
    }

    /// Hands on all messages, to whoever waits and to the listener; returns the process's own word on why it cannot go
    /// on.
    fn listen(&self, input: &mut UnixStream) -> Option<Death> {
        loop {
            let frame = match control::read_frame(input) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(_) => return None,
            };
            match postcard::from_bytes(&frame) {
                Ok(Event::Unusable { reason, lacks_library }) => {
                    return Some(Death { cause: reason, is_unusable: true, lacks_library, ..Death::default() });
                }
                Ok(event) => {
                    (self.listener)(&event);
                    self.hand_on(event);
                }
                Err(error) => {
                    let cause = format!("said something that is no message: {error}");
                    return Some(Death { cause, ..Death::default() });
                }
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

/// The last lines of a pipe, read on a thread of its own and written to the log.
struct Kept(Arc<Mutex<VecDeque<String>>>);

impl Kept {
    fn take(self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn keep_lines(name: &str, pipe: impl Read + Send + 'static, ended: mpsc::Sender<()>) -> Kept {
    let kept = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT_LINES)));
    let (name, lines) = (name.to_owned(), Arc::clone(&kept));
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        // A line without end must not fill the memory.
        while (&mut pipe).take(4096).read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            logging::pass_on(None, Some(&name), &text);
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(text);
        }
        drop(ended);
    });
    Kept(kept)
}

/// `signal 11 (SIGSEGV)` or `exit code 3`.
pub fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal} ({})", control::signal_name(signal)),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_the_named_libtorch_are_looked_for_first() {
        let path = |path: Option<&str>| with_libraries_of(OsStr::new("/opt/libtorch"), path.map(OsStr::new));
        assert_eq!(path(None), "/opt/libtorch/lib");
        assert_eq!(path(Some("")), "/opt/libtorch/lib");
        assert_eq!(path(Some("/a:/b")), "/opt/libtorch/lib:/a:/b");
    }
}
