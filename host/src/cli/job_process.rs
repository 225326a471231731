//! The role `job`: receives one job from the worker, and sends events and the result back.

use std::os::unix::net::UnixStream;

use anyhow::Context;
use oculus_system::control;
use oculus_system::process::{end_group_now, end_now};
use parking_lot::Mutex;

use crate::runner;
use crate::runner::spec::{JobEvent, JobSpec};

/// Runs the role: opens the control channel, runs the job, and sends its outcome.
///
/// # Errors
/// A broken channel or a first message that cannot be read.
pub(super) fn run() -> anyhow::Result<()> {
    let mut input = control::inherited()?;
    let out = Mutex::new(input.try_clone().context("control channel")?);
    let spec = control::read_frame(&mut input)?.context("the worker closed the channel before it sent a job")?;
    let spec: JobSpec = serde_json::from_slice(&spec).context("first message")?;
    exit_with_worker(input)?;
    let outcome = runner::run(&spec, &|progress| send(&out, &JobEvent::Progress(progress)));
    send(&out, &JobEvent::Finished { failure: outcome.failure, result: outcome.result, plugins: outcome.plugins });
    Ok(())
}

/// Ends this process, whatever it computes, once the worker closes the channel.
fn exit_with_worker(mut input: UnixStream) -> anyhow::Result<()> {
    let wait = move || {
        while let Ok(Some(_)) = control::read_frame(&mut input) {}
        end_group_now()
    };
    std::thread::Builder::new().name("worker-gone".into()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

fn send(out: &Mutex<UnixStream>, event: &JobEvent) {
    let sent = serde_json::to_vec(event).map_err(std::io::Error::from).and_then(|body| {
        let mut out = out.lock();
        control::write_frame(&mut *out, &body)
    });
    if sent.is_err() {
        end_now();
    }
}
