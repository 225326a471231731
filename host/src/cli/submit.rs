//! `oculus-host submit`: submits a job to the queue, and with `--wait` waits for its result.

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
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host submit examples/job.json --wait")]
pub(super) struct SubmitArgs {
    /// The job as JSON, with `job_id` or `build_id`
    #[arg(value_name = "JOB.json")]
    pub job: PathBuf,
    /// Follow the job's progress on stderr and show its result on stdout
    #[arg(long)]
    pub wait: bool,
    /// With --wait: print the result object instead of tables
    #[arg(long, requires = "wait")]
    pub json: bool,
}

/// Submits a job; the exit code is 0 for a success (without `--wait`: for a submitted job), 1 for a failed job, 3 for a
/// refused one.
///
/// # Errors
/// A file that is not a job, or Redis' own.
pub(super) async fn run(config: &Config, args: &SubmitArgs) -> anyhow::Result<ExitCode> {
    let path = args.job.display();
    let payload = std::fs::read_to_string(&args.job).with_context(|| format!("the job {path} cannot be read"))?;
    let id = match entry::read(payload.trim().as_bytes()) {
        Ok(Entry::Job { id, .. }) => id,
        Ok(_) => bail!("{path} is not a job: needed: a JSON object with `symbols` and with `job_id` or `build_id`"),
        Err(refusal) => bail!("{path} is not a job: {}; {}", refusal.failure.message, refusal.failure.hint),
    };
    let client = JobClient::open(config).await?;
    if !args.wait {
        submit(&client, &id, &payload).await?;
        stdout::print_answer(&id)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Subscribed first, so that no event is missed.
    let mut watcher = JobWatcher::subscribe(config, &client, &id).await?;
    submit(&client, &id, &payload).await?;
    let bar = JobProgressBar::new();
    let result = watcher.until_result(|event| bar.show(event.phase, &event.details)).await?;
    bar.finish();
    summary::print(&result, args.json)?;
    Ok(job_result::exit_code_of(&result))
}

async fn submit(client: &JobClient, id: &str, payload: &str) -> anyhow::Result<()> {
    client.submit(id, payload).await?;
    eprintln!("job {id} is in the queue {}", client.queue());
    Ok(())
}
