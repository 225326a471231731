//! Runs one job from its payload to its result. A job process and the command `train` use this
//! module.
//!
//! In: the job's text, plugins and resources. Out: a [`JobOutcome`] in every case. The pipeline is
//! pure. This module adds what is not: the clock, the host name, the plugin processes and the
//! folder of artifacts.

mod capacity;
mod payload;
mod plugin_log;
mod run_block;
mod sessions;
pub(crate) mod spec;

use std::sync::Arc;
use std::time::Instant;

use oculus_job::code::ErrorCode;
use oculus_job::error::{JobError, JobErrorKind};
use oculus_job::progress::{Phase, Progress};
use oculus_job::request::Job;
use oculus_job::result::FailedResult;
use oculus_job::submission::Submission;
use oculus_pipeline::report::Report;
use oculus_pipeline::work::WorkUpdate;
use oculus_pipeline::{self as pipeline, PipelineInputs};
use oculus_plugin_host::health::{HealthRecord, PluginHealth};
use oculus_plugin_host::selection::{self, Selection};
use parking_lot::Mutex;
use serde_json::Value;

use self::run_block::{Clock, run_block};
use self::sessions::SessionOpener;
use self::spec::JobSpec;
use crate::artifacts::{self, AttemptFolder, Contents};
use crate::eta::{Estimator, JobShape, SpeedHistory};

pub(crate) use self::plugin_log::plugin_log;

/// The outcome of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobOutcome {
    /// The kind of failure; `None` for a success.
    pub failure: Option<JobErrorKind>,
    /// The result object of the success or the failure.
    pub result: Value,
    /// The health of the plugins that the job used.
    pub plugins: Vec<PluginHealth>,
    /// The test of the job's design, for the ledger of submissions; `None` for a failure.
    pub submission: Option<Submission>,
}

/// Checks a job without running it: its fields, its families and their parameters. The worker calls
/// this function first, because a refusal then costs no process.
///
/// # Errors
/// Returns the outcome of a job that would be refused.
pub(crate) fn check(spec: &JobSpec) -> Result<Job, Box<JobOutcome>> {
    let job = payload::read_job(spec).map_err(|failure| Box::new(failed(&failure, &spec.build_id, None)))?;
    match selection::select(&job, &spec.plugins, &spec.refused) {
        Ok(_) => Ok(job),
        Err(failure) => Err(Box::new(failed(&failure, &job.build_id, Some(job.design_config())))),
    }
}

/// Runs a job and reports its progress.
pub(crate) fn run(spec: &JobSpec, on_progress: &(dyn Fn(Progress) + Sync)) -> JobOutcome {
    let clock = Clock::start();
    let job = match payload::read_job(spec) {
        Ok(job) => job,
        Err(failure) => return failed(&failure, &spec.build_id, None),
    };
    let history = SpeedHistory::read(&spec.resources.speeds);
    let estimator = Mutex::new(Estimator::new(JobShape::from_job(&job), history, clock.started()));
    let reporter = Reporter { clock: &clock, estimator: &estimator, on_progress };
    // All plugin sessions share this record. It is part of the outcome even if the job fails,
    // because a crash of a generation must always be counted.
    let record = Arc::default();
    let run = JobRun { spec, record: &record, started_at: clock.started_at(), reporter: &reporter };
    let outcome = match run.train(&job) {
        Ok((mut report, contents, submission)) => {
            // The run block is complete before the artifact is written, because the artifact
            // contains the report.
            report.run = run_block(spec, &clock, &report);
            write_artifact(&mut report, &contents, spec);
            estimator.into_inner().store(&spec.resources.speeds, Instant::now());
            succeeded(report, submission)
        }
        Err(failure) => failed(&failure, &job.build_id, Some(job.design_config())),
    };
    JobOutcome { plugins: record.all(), ..outcome }
}

/// Adds times to the progress of a job: records when a phase starts, and estimates the end.
struct Reporter<'a> {
    clock: &'a Clock,
    estimator: &'a Mutex<Estimator>,
    on_progress: &'a (dyn Fn(Progress) + Sync),
}

impl Reporter<'_> {
    /// Forwards progress with its percentage and, if it is known, the remaining time.
    fn report(&self, mut progress: Progress) {
        self.clock.record_phase(progress.phase);
        self.estimator.lock().estimate(Instant::now()).add_to(&mut progress);
        (self.on_progress)(progress);
    }

    /// Records work that is planned or done.
    fn update(&self, update: &WorkUpdate) {
        self.estimator.lock().update(update, Instant::now());
    }
}

/// The surroundings of a job's pipeline.
struct JobRun<'a> {
    spec: &'a JobSpec,
    record: &'a Arc<HealthRecord>,
    /// The start in UTC.
    started_at: &'a str,
    reporter: &'a Reporter<'a>,
}

impl JobRun<'_> {
    /// Runs the pipeline with the job's plugins, and collects the contents of its artifact.
    fn train(&self, job: &Job) -> Result<(Report, Contents, Submission), JobError> {
        let selection = selection::select(job, &self.spec.plugins, &self.spec.refused)?;
        let output = self.run_pipeline(job, &selection)?;
        let contents = artifacts::collect(&output.artifact_inputs, &selection, job.design.ml_training_config.seed);
        Ok((output.report, contents, output.submission))
    }

    /// Runs the pipeline on the job's source of bars.
    fn run_pipeline(&self, job: &Job, selection: &Selection) -> Result<pipeline::PipelineOutput, JobError> {
        let resources = &self.spec.resources;
        let opener = SessionOpener { resources, selection, record: self.record };
        let source = resources.bars.open();
        let inputs = PipelineInputs {
            source: source.as_ref(),
            participants: &selection.participants(resources.device()),
            lookback_rows: selection.lookback_rows(),
            open: &|table| opener.open(table),
            n_parallel: resources.parallel_fits,
            n_families_at_once: capacity::n_parallel_families(resources),
            history: &self.spec.history,
            started_at: self.started_at,
            on_work: &|update| self.reporter.update(update),
            on_progress: &|progress| self.reporter.report(progress),
        };
        pipeline::run(job, &inputs)
    }
}

/// Writes the artifact, and adds the path of its folder to the report. If the artifact cannot be
/// written, the job succeeds without it, and the report states the reason.
fn write_artifact(report: &mut Report, contents: &Contents, spec: &JobSpec) {
    let written_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let written = AttemptFolder::create(&spec.artifacts, &spec.job_id).and_then(|attempt| {
        let folder = attempt.folder().display().to_string();
        // The path is added before the artifact is written, because the artifact contains a copy of
        // the report.
        report.run.insert("artifacts".to_owned(), folder.into());
        attempt.write(contents, report, &written_at)
    });
    if let Err(error) = written {
        let reason = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(job = spec.job_id, "cannot write the artifacts: {reason}; the job succeeds without them");
        report.run.insert("artifacts".to_owned(), Value::Null);
        report.run.insert("artifacts_reason".to_owned(), reason.into());
    }
}

/// Returns the outcome of a job that has a report.
fn succeeded(report: Report, submission: Submission) -> JobOutcome {
    match report.to_json() {
        Ok(result) => JobOutcome { failure: None, result, plugins: Vec::new(), submission: Some(submission) },
        Err(error) => {
            let message = format!("the report cannot be written as JSON: {error}");
            let hint = "this is a bug in the worker: report it together with the job";
            failed(&JobError::failed(Phase::Complete, ErrorCode::Internal, message, hint), &report.build_id, None)
        }
    }
}

/// Returns the outcome of a job that failed.
fn failed(failure: &JobError, build_id: &str, design_config: Option<Value>) -> JobOutcome {
    let result = FailedResult::new(failure, build_id, design_config).to_json();
    JobOutcome { failure: Some(failure.kind), result, plugins: Vec::new(), submission: None }
}
