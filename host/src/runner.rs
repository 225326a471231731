//! One job from its payload to its result: what a job process and `train` do.
//!
//! In: the job's text, its plugins, its resources. Out: a [`JobOutcome`] in every case. Around the pure pipeline, this
//! module has the clock, the host's name, the plugin processes and the folder of artifacts.

mod capacity;
mod payload;
mod plugin_log;
mod run_block;
mod sessions;
pub(crate) mod spec;

use std::sync::Arc;

use oculus_job::code::ErrorCode;
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Phase, Progress};
use oculus_job::request::Job;
use oculus_job::result::FailedResult;
use oculus_pipeline::report::Report;
use oculus_pipeline::{self as pipeline, PipelineInputs};
use oculus_plugin_host::health::{HealthRecord, PluginHealth};
use oculus_plugin_host::selection::{self, Selection};
use serde_json::Value;

use self::run_block::{Clock, run_block};
use self::sessions::SessionOpener;
use self::spec::JobSpec;
use crate::artifacts::{self, AttemptFolder, Contents};

pub(crate) use self::plugin_log::plugin_log;

/// The outcome of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobOutcome {
    /// The kind of failure; `None` for a success.
    pub failure: Option<Kind>,
    /// The result object, of a success or of a failure.
    pub result: Value,
    /// The health of the plugins that the job used.
    pub plugins: Vec<PluginHealth>,
}

/// Runs a job to its end, and reports its progress.
pub(crate) fn run(spec: &JobSpec, on_progress: &(dyn Fn(Progress) + Sync)) -> JobOutcome {
    let clock = Clock::start();
    let timed = |progress: Progress| {
        clock.note(progress.phase);
        on_progress(progress);
    };
    let job = match payload::read_job(spec) {
        Ok(job) => job,
        Err(failure) => return failed(&failure, &spec.build_id, Value::Null),
    };
    let record = Arc::default();
    let outcome = match train(&job, spec, &record, &timed) {
        Ok((mut report, contents)) => {
            report.run = run_block(spec, &clock, &report);
            write_artifact(&mut report, &contents, spec);
            succeeded(report)
        }
        Err(failure) => failed(&failure, &job.build_id, job.design_config()),
    };
    JobOutcome { plugins: record.all(), ..outcome }
}

/// Runs the pipeline on the job's plugins, and collects the contents of its artifact.
fn train(
    job: &Job,
    spec: &JobSpec,
    record: &Arc<HealthRecord>,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Report, Contents), Failure> {
    let resources = &spec.resources;
    let selection = selection::select(job, &spec.plugins, &spec.refused)?;
    let opener = SessionOpener { resources, selection: &selection, record };
    let output = run_pipeline(job, &selection, &opener, on_progress)?;
    let contents = artifacts::collect(&output.findings, &selection, job.design.ml_training_config.seed);
    Ok((output.report, contents))
}

fn run_pipeline(
    job: &Job,
    selection: &Selection,
    opener: &SessionOpener<'_>,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<pipeline::Output, Failure> {
    let resources = opener.resources;
    let source = resources.bars.open();
    let inputs = PipelineInputs {
        source: source.as_ref(),
        participants: &selection.participants(resources.device()),
        lookback_rows: selection.lookback_rows(),
        open: &|table| opener.open(table),
        n_side_by_side: resources.parallel_fits,
        n_families_at_once: capacity::families_at_once(resources),
        on_progress,
    };
    pipeline::run(job, &inputs)
}

/// Writes the artifact, and its folder into the report. A job whose artifact cannot be written is a success without it.
fn write_artifact(report: &mut Report, contents: &Contents, spec: &JobSpec) {
    let written_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let written = AttemptFolder::create(&spec.artifacts, &spec.job_id).and_then(|attempt| {
        let folder = attempt.folder().display().to_string();
        report.run.insert("artifacts".to_owned(), folder.into());
        attempt.write(contents, report, &written_at)
    });
    if let Err(error) = written {
        let reason = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!("the job's artifacts cannot be written: {reason}");
        report.run.insert("artifacts".to_owned(), Value::Null);
        report.run.insert("artifacts_reason".to_owned(), reason.into());
    }
}

fn succeeded(report: Report) -> JobOutcome {
    match report.to_json() {
        Ok(result) => JobOutcome { failure: None, result, plugins: Vec::new() },
        Err(error) => {
            let message = format!("the report cannot be written as JSON: {error}");
            let hint = "this is a fault of the worker: report it with the job";
            failed(&Failure::failed(Phase::Complete, ErrorCode::Internal, message, hint), &report.build_id, Value::Null)
        }
    }
}

fn failed(failure: &Failure, build_id: &str, design_config: Value) -> JobOutcome {
    let result = FailedResult::new(failure, build_id, design_config).to_json();
    JobOutcome { failure: Some(failure.kind), result, plugins: Vec::new() }
}
