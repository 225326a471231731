//! `oculus-host submit`: hands a job to the workers, and waits for its answer if asked to.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;

use super::bar::Bar;
use super::exchange::{Exchange, Watcher};
use super::{job_result, summary};
use crate::config::Config;
use crate::worker::entry::{self, Entry};

/// Submit a job to the queue
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host submit examples/job.json --wait")]
pub struct SubmitArgs {
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

/// Submits; the exit code is 0 for a success (or for a job handed over), 1 for a failed job, 3 for a refused one.
///
/// # Errors
/// A file that is no job, or Redis' own.
pub async fn run(config: &Config, args: &SubmitArgs) -> anyhow::Result<ExitCode> {
    let path = args.job.display();
    let payload = std::fs::read_to_string(&args.job).with_context(|| format!("the job {path} cannot be read"))?;
    let id = match entry::read(payload.trim().as_bytes()) {
        Ok(Entry::Job { id, .. }) => id,
        Ok(_) => bail!("{path} is no job: needed: a JSON object with `symbols` and with `job_id` or `build_id`"),
        Err(refusal) => bail!("{path} is no job: {}; {}", refusal.failure.message, refusal.failure.hint),
    };
    let exchange = Exchange::open(config).await?;
    if !args.wait {
        hand_over(&exchange, &id, &payload).await?;
        super::answer(&id)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Subscribed first, so that no event is missed.
    let mut watcher = Watcher::of(config, &exchange, &id).await?;
    hand_over(&exchange, &id, &payload).await?;
    let bar = Bar::new();
    let result = watcher.until_result(|event| bar.show(event.phase, &event.details)).await?;
    bar.finish();
    summary::print(&result, args.json)?;
    Ok(job_result::exit_code_of(&result))
}

async fn hand_over(exchange: &Exchange, id: &str, payload: &str) -> anyhow::Result<()> {
    exchange.hand_over(id, payload).await?;
    eprintln!("job {id} is in the queue {}", exchange.queue());
    Ok(())
}
