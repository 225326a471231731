//! `oculus-host train`: runs a job in the foreground, without Redis.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use oculus_job::result::FailedResult;
use oculus_job::submission::SubmissionHistory;
use oculus_plugin_host::catalog::Catalog;
use serde_json::Value;

use super::progress_bar::JobProgressBar;
use super::{job_result, summary};
use crate::artifacts::ArtifactsLocation;
use crate::config::Config;
use crate::runner;
use crate::runner::spec::{JobResources, JobSpec};
use crate::submission_files::LedgerFile;
use crate::worker::job_header::JobHeader;

/// Id of a job whose payload has no id.
const DEFAULT_ID: &str = "train";

/// Run a job in the foreground, without Redis
///
/// The job uses as many cores as a job of a worker: all cores divided by WORKER_CONCURRENCY. With
/// --concurrency 1 it uses all cores.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host train examples/job.json --bars examples/bars")]
pub(super) struct TrainArgs {
    /// JSON file with the job, in the format of the backend
    #[arg(value_name = "JOB.json")]
    pub job: PathBuf,
    /// Print the result object as JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Runs a job; the exit code is 0 for a success, 1 for a failed job, 3 for a refused job.
///
/// # Errors
/// Returns an error if the file of the job or the plugins folder cannot be read.
pub(super) fn run(config: &Config, args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let path = args.job.display();
    let payload = std::fs::read_to_string(&args.job).with_context(|| format!("cannot read the job {path}"))?;
    let catalog = Catalog::open(&config.jobs.plugins)?;
    catalog.scan_to_end()?;
    // A payload that is not a valid job may still have an id. The refusal of the job then contains
    // this id.
    let (header, _) = JobHeader::read(&payload);
    let job_id = header.id().unwrap_or_else(|| DEFAULT_ID.to_owned());
    let build_id = header.build_id.unwrap_or_else(|| job_id.clone());
    let bar = JobProgressBar::new();
    let result = match JobResources::from_config(&config.jobs, "train") {
        Err(failure) => FailedResult::new(&failure, &build_id, None).to_json(),
        Ok(resources) => {
            let plugins = catalog.current().plugins();
            let refused = catalog.current().refused();
            // Without a queue there is no fencing token, so the attempt's folder is named after the
            // time.
            let token = jiff::Timestamp::now().strftime("local-%Y%m%dT%H%M%SZ").to_string();
            let artifacts = ArtifactsLocation { dir: config.jobs.artifacts_dir.clone(), token };
            let history = SubmissionHistory::Known(Vec::new());
            train(JobSpec { job_id, build_id, payload, plugins, refused, resources, artifacts, history }, &bar)
        }
    };
    bar.finish();
    summary::print(&result, args.json)?;
    Ok(job_result::result_exit_code(&result))
}

/// Runs a job, records its submission, and returns its result.
fn train(mut spec: JobSpec, bar: &JobProgressBar) -> Value {
    // A refused job is not a submission, so it is not recorded.
    let job = match runner::check(&spec) {
        Ok(job) => job,
        Err(refused) => return refused.result,
    };
    let ledger = LedgerFile::new(&spec.artifacts.dir, &job, &spec.resources.bars);
    spec.history = ledger.history();
    let outcome = runner::run(&spec, &|progress| bar.show(progress.phase, &progress.details));
    if let Some(submission) = outcome.submission {
        ledger.record(submission);
    }
    outcome.result
}
