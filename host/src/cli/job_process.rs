//! The hidden command `job`: receives one job from the worker, and sends its progress and its
//! result back.

use std::os::unix::net::UnixStream;

use anyhow::Context;
use oculus_system::control;
use oculus_system::process::{kill_group_now, kill_now};
use parking_lot::Mutex;

use crate::runner::spec::{JobEvent, JobSpec};
use crate::runner::{self, JobOutcome};

/// Receives a job through the control channel, runs it, and sends its outcome.
///
/// # Errors
/// Returns an error if the channel breaks before the job is received, or if the first message is
/// not a job.
pub(super) fn run() -> anyhow::Result<()> {
    let mut input = control::inherited()?;
    let out = Mutex::new(input.try_clone().context("cannot clone the control channel")?);
    let spec = control::read_frame(&mut input)?.context("the worker closed the channel before it sent a job")?;
    let spec: JobSpec = serde_json::from_slice(&spec).context("the first message is not a job")?;
    exit_with_worker(input)?;
    let outcome = runner::run(&spec, &|progress| send(&out, &JobEvent::Progress(progress)));
    let JobOutcome { failure, result, plugins, submission } = outcome;
    send(&out, &JobEvent::Finished { failure, result, plugins, submission });
    Ok(())
}

/// Starts a thread that kills this process and its children once the worker closes the channel.
fn exit_with_worker(mut input: UnixStream) -> anyhow::Result<()> {
    // The system closes the channel when the worker dies, so an orphaned job does not continue to
    // use the machine.
    let wait = move || {
        while let Ok(Some(_)) = control::read_frame(&mut input) {}
        kill_group_now()
    };
    std::thread::Builder::new().name("worker-gone".into()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

fn send(out: &Mutex<UnixStream>, event: &JobEvent) {
    let sent = serde_json::to_vec(event).map_err(std::io::Error::from).and_then(|body| {
        let mut out = out.lock();
        control::write_frame(&mut *out, &body)
    });
    // Without a worker, nothing can receive the outcome.
    if sent.is_err() {
        kill_now();
    }
}
