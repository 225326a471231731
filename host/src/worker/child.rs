//! A job process as the worker sees it. It is this executable in the role `job`, with a control
//! channel, a minimal environment and its own process group.
//!
//! In: a [`JobSpec`]. Out: the [`JobEvent`]s of the process, and its [`Death`]. Invariant: when the
//! worker exits, the control channel closes and the child exits. The child's environment contains
//! no secret.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use oculus_system::child::{ChildOutput, ExitCause, LogAllowance, OutputLabel, child_environment};
use oculus_system::control::{CONTROL_FD, read_frame, write_frame};
use oculus_system::process::own_executable;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc;

use crate::runner::spec::{JobEvent, JobSpec};

/// The time within which a child must exit after its channel is closed. Afterwards its pipes must
/// close within an equal time: its own children inherit the pipes and may keep them open.
const GRACE: Duration = Duration::from_secs(2);

/// A running job process. It is killed when this value is dropped.
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
    events: mpsc::Receiver<JobEvent>,
    /// The reader of the child's stdout and stderr. [`Child::close`] takes it.
    output: Option<ChildOutput>,
}

/// The exit of a process that sent no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// The cause of the exit; `None` if the system does not report it.
    pub cause: Option<ExitCause>,
    /// The last lines that the process printed, at most 50.
    pub last_lines: Vec<String>,
}

impl Child {
    /// Starts a job process and sends it the job.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the process or the thread of its control channel cannot be started.
    pub(super) fn spawn(spec: &JobSpec) -> io::Result<Self> {
        let message = serde_json::to_vec(spec)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = std::process::Command::new(own_executable()?);
        // Only listed variables are passed on, because the worker's environment contains secrets.
        command.arg("job").env_clear().envs(child_environment());
        // The job has its own process group, so that Ctrl-C in a terminal signals only the worker,
        // and a kill also reaches processes that the job started.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
            .fd_mappings(vec![FdMapping { parent_fd: theirs.into(), child_fd: CONTROL_FD }])
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut command = tokio::process::Command::from(command);
        let mut process = command.kill_on_drop(true).spawn()?;
        let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let label = OutputLabel { job: Some(spec.job_id.clone()), plugin: None };
        let stdout = process.stdout.take().map(ChildStdout::into_owned_fd).transpose()?.map(File::from);
        let stderr = process.stderr.take().map(ChildStderr::into_owned_fd).transpose()?.map(File::from);
        // A job process prints the log of this program, so none of its lines may be dropped.
        let output = Some(ChildOutput::read_merged(stdout, stderr, label, LogAllowance::unlimited()));
        Ok(Self { process, group, events: start_channel_thread(ours, message)?, output })
    }

    /// Returns the next event of the job, or `None` after the last one.
    pub(super) async fn event(&mut self) -> Option<JobEvent> {
        self.events.recv().await
    }

    /// Kills the process group of the job. Plugin processes have their own process groups; they
    /// exit because their control channels close when the job process dies.
    pub(super) fn kill(&self) {
        // The system does not reuse the number of a process group until its leader has been waited
        // for. From then on, `id` returns `None`, so the kill never reaches another group.
        if let Some(group) = self.group.filter(|_| self.process.id().is_some()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Closes the control channel and waits for the process to exit. Kills the process after a
    /// grace time.
    pub(super) async fn close(mut self) -> Death {
        // The channel's thread may be blocked because the queue of events is full. Closing the
        // queue unblocks the thread, which then drops the socket.
        self.events.close();
        let status = match tokio::time::timeout(GRACE, self.process.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.kill();
                self.process.wait().await
            }
        };
        let output = self.output.take();
        let read = move || output.map(|output| output.last_lines(GRACE)).unwrap_or_default();
        let [last_lines, _] = tokio::task::spawn_blocking(read).await.unwrap_or_default();
        Death { cause: status.ok().map(ExitCause::from), last_lines }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a thread that sends the job and receives its events. It is a thread and not a task, so
/// that the worker and the job process can read frames with the same blocking code.
fn start_channel_thread(mut stream: UnixStream, message: Vec<u8>) -> io::Result<mpsc::Receiver<JobEvent>> {
    // The queue is bounded, so a process that reports faster than the worker reads must wait.
    let (sender, events) = mpsc::channel(64);
    let mut exchange = move || -> io::Result<()> {
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
        if let Err(error) = exchange() {
            // The usual cause is the death of the process, which the supervisor reports.
            tracing::debug!("the control channel of a job process failed: {error}");
        }
    })?;
    Ok(events)
}
