//! The role `job`: one job from its worker, events and the result back to it.

use parking_lot::Mutex;
use std::os::unix::net::UnixStream;

use anyhow::Context;

use crate::runner;
use crate::runner::spec::{JobEvent, JobSpec};
use oculus_system::control;

/// Runs the role: takes the control channel, runs the job, tells its end.
///
/// # Errors
/// A broken channel or a first message that cannot be read.
pub(super) fn run() -> anyhow::Result<()> {
    let mut input = control::inherited()?;
    let out = Mutex::new(input.try_clone().context("control channel")?);
    let spec = control::read_frame(&mut input)?.context("the worker left before it said anything")?;
    let spec: JobSpec = serde_json::from_slice(&spec).context("first message")?;
    end_with(input)?;
    let ending = runner::run(&spec, &|progress| tell(&out, &JobEvent::Progress(progress)));
    tell(&out, &JobEvent::Finished { failure: ending.failure, result: ending.result, plugins: ending.plugins });
    Ok(())
}

/// Ends this process, whatever it computes, when the worker lets go of the channel.
fn end_with(mut input: UnixStream) -> anyhow::Result<()> {
    let wait = move || {
        while let Ok(Some(_)) = control::read_frame(&mut input) {}
        control::end_group_now()
    };
    std::thread::Builder::new().name("worker-gone".into()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

fn tell(out: &Mutex<UnixStream>, event: &JobEvent) {
    let sent = serde_json::to_vec(event).map_err(std::io::Error::from).and_then(|body| {
        let mut out = out.lock();
        control::write_frame(&mut *out, &body)
    });
    if sent.is_err() {
        control::end_now();
    }
}
