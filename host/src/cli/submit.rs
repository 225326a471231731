//! `oculus-host submit`: submits a job to the queue; with `--wait` it also waits for the result.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;

use super::client::{JobClient, JobWatcher};
use super::progress_bar::JobProgressBar;
use super::{job_result, stdout, summary};
use crate::config::Config;
use crate::worker::entry::{self, Entry};

/// Submit a job to the queue
///
/// Prints the job's id. With --wait, shows the progress of the job and prints its result.
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host submit examples/job.json --wait")]
pub(super) struct SubmitArgs {
    /// JSON file with the job, including job_id or build_id
    #[arg(value_name = "JOB.json")]
    pub job: PathBuf,
    /// Wait for the result, and show the progress on stderr
    #[arg(long)]
    pub wait: bool,
    /// With --wait, print the result object as JSON instead of tables
    #[arg(long, requires = "wait")]
    pub json: bool,
}

/// Submits a job.
///
/// The exit code is 0 if the job was submitted. With `--wait` it is 0 for a success, 1 for a failed
/// job and 3 for a refused job.
///
/// # Errors
/// Returns an error if the file cannot be read or is not a job, or if Redis cannot be reached.
pub(super) async fn run(config: &Config, args: &SubmitArgs) -> anyhow::Result<ExitCode> {
    let path = args.job.display();
    let payload = std::fs::read_to_string(&args.job).with_context(|| format!("cannot read the job {path}"))?;
    let id = match entry::read(payload.trim().as_bytes()) {
        Ok(Entry::Job { id, .. }) => id,
        Ok(_) => bail!("{path} is not a job: expected a JSON object with `symbols` and with `job_id` or `build_id`"),
        Err(refusal) => bail!("{path} is not a job: {}; {}", refusal.failure.message, refusal.failure.hint),
    };
    let client = JobClient::open(config).await?;
    if !args.wait {
        submit(&client, &id, &payload).await?;
        stdout::print_output(&id)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Subscribes before it submits, so that no event is missed.
    let mut watcher = JobWatcher::subscribe(&client, &id).await?;
    submit(&client, &id, &payload).await?;
    let bar = JobProgressBar::new();
    let result = watcher.wait_for_result(|event| bar.show(event.phase, &event.details)).await?;
    bar.finish();
    summary::print(&result, args.json)?;
    Ok(job_result::result_exit_code(&result))
}

async fn submit(client: &JobClient, id: &str, payload: &str) -> anyhow::Result<()> {
    let n_in_front = client.submit(id, payload).await?;
    let place = if n_in_front == 0 { String::new() } else { format!(", behind {n_in_front} waiting jobs") };
    eprintln!("job {id} is in the queue {}{place}", client.queue());
    Ok(())
}
