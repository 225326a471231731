//! A job process: this executable in the role `job`, with a control channel, a minimal environment and a process group
//! of its own.
//!
//! Invariant: when the worker ends, the control channel closes and the child exits; no secret is in its environment.

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

/// How long a child whose channel is closed may take to exit, and its pipes to close after that.
const GRACE: Duration = Duration::from_secs(2);

/// A running job process; killed when dropped.
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
    events: mpsc::Receiver<JobEvent>,
    /// Taken when the process is waited for.
    output: Option<ChildOutput>,
}

/// The end of a process that sent no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// How it ended; `None` if the system does not report it.
    pub cause: Option<ExitCause>,
    /// The last lines that it printed, at most 50.
    pub last_lines: Vec<String>,
}

impl Child {
    /// Starts the job.
    ///
    /// # Errors
    /// The system's, when it starts no process or thread.
    pub(super) fn spawn(spec: &JobSpec) -> io::Result<Self> {
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
        let label = OutputLabel { job: Some(spec.job_id.clone()), plugin: None };
        let stdout = process.stdout.take().map(ChildStdout::into_owned_fd).transpose()?.map(File::from);
        let stderr = process.stderr.take().map(ChildStderr::into_owned_fd).transpose()?.map(File::from);
        // A job process prints this program's own log, so that nothing of it is withheld.
        let output = Some(ChildOutput::read_merged(stdout, stderr, label, LogAllowance::unlimited()));
        Ok(Self { process, group, events: converse(ours, message)?, output })
    }

    /// Returns the next event of the job; `None` after the last one.
    pub(super) async fn event(&mut self) -> Option<JobEvent> {
        self.events.recv().await
    }

    /// Ends the job with everything in its process group. Its plugin processes lead groups of their
    /// own, which the end of their channels ends.
    pub(super) fn kill(&self) {
        // The leader is not yet waited for, so the number cannot have passed on to another group.
        if let Some(group) = self.group.filter(|_| self.process.id().is_some()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Closes the control channel and waits for the end, which is forced after a grace time.
    pub(super) async fn end(mut self) -> Death {
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

/// Sends the job and receives its events, on a thread of its own: both sides read frames with the same blocking code.
fn converse(mut stream: UnixStream, message: Vec<u8>) -> io::Result<mpsc::Receiver<JobEvent>> {
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
            tracing::debug!("a job's control channel broke: {error}");
        }
    })?;
    Ok(events)
}
