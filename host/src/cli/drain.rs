//! `oculus-host drain`: lets one worker finish its jobs and exit.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::operator::{self, OperatorArgs, count};
use crate::config::Config;
use crate::worker::operations::drain::{DrainOutcome, DrainedWorker};

/// The longest time to wait until a worker has read the request.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// Drain one worker: it fetches no more jobs, finishes its jobs and exits
///
/// The worker behaves as after SIGTERM. Waits until the worker has read the request, which takes
/// about 2 seconds, but not until its jobs have finished. A worker that is started in its place
/// does not drain.
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host drain trading-1-4711-1796049588")]
pub(super) struct DrainArgs {
    /// Id of the worker, as `oculus-host jobs` shows it
    #[arg(value_name = "WORKER_ID")]
    pub worker_id: String,
    /// Do not wait until the worker has read the request
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Drains a worker; the exit code is 1 if the worker has not read the request in time.
///
/// # Errors
/// Returns an error if no such worker reports, or if Redis cannot be reached.
pub(super) async fn run(config: &Config, args: &DrainArgs) -> anyhow::Result<ExitCode> {
    operator::exit_code_of(drain(config, args).await)
}

async fn drain(config: &Config, args: &DrainArgs) -> anyhow::Result<ExitCode> {
    let operations = operator::connect(config, &args.operator)?;
    let mut drained = operations.drain(&args.worker_id).await?;
    if !args.no_wait {
        operations.wait_for_drain(&mut drained, READ_LIMIT).await?;
    }
    operator::print(&drained, args.operator.json, text)?;
    let is_read = drained.outcome != DrainOutcome::Requested;
    Ok(if is_read || args.no_wait { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(drained: &DrainedWorker) -> String {
    let id = &drained.worker_id;
    let jobs = count(drained.n_running, "job", "jobs");
    match drained.outcome {
        DrainOutcome::Requested => format!("worker {id} has not read the request yet; the request is kept for a day"),
        DrainOutcome::Draining => format!("worker {id} drains; {jobs} still running"),
        DrainOutcome::Stopped => format!("worker {id} has stopped"),
    }
}
