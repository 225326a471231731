//! A job process: this same executable in the role `job`, with a control channel, an emptied environment and a process
//! group of its own.
//!
//! Invariant: when the worker is gone the control channel is closed, and the child exits by itself; no secret is in its
//! environment.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::runner::spec::{JobEvent, JobSpec};
use oculus_system::control::{CONTROL_FD, child_environment, own_executable, read_frame, write_frame};
use oculus_system::log_line;

const KEPT_LINES: usize = 50;
const LONGEST_LINE: u64 = 8 << 10;
/// How long a child whose channel is closed may take to exit, and its pipes to close after that.
const GRACE: Duration = Duration::from_secs(2);

/// A running job process; killed when dropped.
pub struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
    events: mpsc::Receiver<JobEvent>,
    printed: Arc<Mutex<VecDeque<String>>>,
    readers: [JoinHandle<()>; 2],
}

/// How a process ended that has said no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal, if one killed it.
    pub signal: Option<i32>,
    /// What it printed last, at most 50 lines.
    pub last_lines: String,
}

impl Child {
    /// Starts the job.
    ///
    /// # Errors
    /// The system's, when it starts no process or thread.
    pub fn spawn(spec: &JobSpec) -> io::Result<Self> {
        let message = serde_json::to_vec(spec)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = std::process::Command::new(own_executable()?);
        command.arg("job").env_clear().envs(child_environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
            .fd_mappings(vec![FdMapping { parent_fd: theirs.into(), child_fd: CONTROL_FD }])
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut command = tokio::process::Command::from(command);
        let mut process = command.kill_on_drop(true).spawn()?;
        let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let printed = Arc::default();
        let readers = [
            follow(process.stdout.take(), spec.job_id.clone(), Arc::clone(&printed)),
            follow(process.stderr.take(), spec.job_id.clone(), Arc::clone(&printed)),
        ];
        Ok(Self { process, group, events: converse(ours, message)?, printed, readers })
    }

    /// What the job says next; `None` when it will say no more.
    pub async fn event(&mut self) -> Option<JobEvent> {
        self.events.recv().await
    }

    /// Ends the job with everything in its process group. Its plugin processes lead groups of their own, which the end of
    /// their channels ends.
    pub fn kill(&self) {
        // The leader is not yet waited for, so the number cannot have passed on to another group.
        if let Some(group) = self.group.filter(|_| self.process.id().is_some()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Closes the control channel and waits for the end, which is forced after a grace time.
    pub async fn end(mut self) -> Death {
        self.events.close();
        let status = match tokio::time::timeout(GRACE, self.process.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.kill();
                self.process.wait().await
            }
        };
        for reader in &mut self.readers {
            let _ = tokio::time::timeout(GRACE, reader).await;
        }
        let status: Option<ExitStatus> = status.ok();
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        Death {
            exit_code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            last_lines: printed.iter().cloned().collect::<Vec<_>>().join("\n"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends the job and hears its events, on a thread of its own: the frames are read by the same code on both sides.
fn converse(mut stream: UnixStream, message: Vec<u8>) -> io::Result<mpsc::Receiver<JobEvent>> {
    let (sender, events) = mpsc::channel(64);
    let mut hear = move || -> io::Result<()> {
        write_frame(&mut stream, &message)?;
        while let Some(frame) = read_frame(&mut stream)? {
            let event: JobEvent = serde_json::from_slice(&frame)?;
            let is_last = matches!(event, JobEvent::Finished { .. });
            if sender.blocking_send(event).is_err() || is_last {
                break;
            }
        }
        Ok(())
    };
    std::thread::Builder::new().name("job channel".to_owned()).spawn(move || {
        if let Err(error) = hear() {
            tracing::debug!("a job's control channel broke: {error}");
        }
    })?;
    Ok(events)
}

fn follow(
    pipe: Option<impl AsyncRead + Send + Unpin + 'static>,
    job_id: String,
    printed: Arc<Mutex<VecDeque<String>>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        // A line without end is cut, not gathered.
        while let Ok(1..) = (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            log_line::forward(Some(&job_id), None, &text);
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            if printed.len() == KEPT_LINES {
                printed.pop_front();
            }
            printed.push_back(text);
        }
    })
}
