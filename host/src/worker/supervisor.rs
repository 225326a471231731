//! Supervises the job process of one attempt: forwards its progress and receives its result. Kills
//! the process on a timeout, a lost lease, a cancellation or a shutdown.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::{Phase, Progress, Status};
use oculus_job::submission::SubmissionHistory;
use tokio::sync::mpsc;

use super::adoption::{Recovery, recover};
use super::attempt_outcome::AttemptOutcome;
use super::child::Child;
use super::context::WorkerContext;
use super::intake::AdmittedJob;
use super::lease::Lease;
use super::ledger::Ledger;
use super::queue::LeaseStatus;
use super::shutdown::{ShutdownPhase, reached};
use super::sleep_inhibitor::Wakefulness;
use crate::artifacts::ArtifactsLocation;
use crate::eta::{JobShape, SpeedHistory, tenths};
use crate::runner::spec::{JobEvent, JobResources, JobSpec};
use crate::runner::{self, JobOutcome};

/// The state of the supervision of one attempt.
pub(super) struct Supervisor<'a> {
    worker: &'a WorkerContext,
    lease: &'a mut Lease,
    reports: mpsc::UnboundedSender<Progress>,
    /// The last phase that the job has reported.
    phase: Phase,
    /// Holds off sleep since the start of the job process.
    awake: Option<Wakefulness>,
}

impl<'a> Supervisor<'a> {
    /// Creates a supervisor that sends the job's progress to `reports`.
    pub(super) fn new(
        worker: &'a WorkerContext,
        lease: &'a mut Lease,
        reports: mpsc::UnboundedSender<Progress>,
    ) -> Self {
        Self { worker, lease, reports, phase: Phase::Queued, awake: None }
    }

    /// Closes the channel of progress reports. Returns the last phase that the job has reported,
    /// and the value that holds off sleep if a job process has run.
    pub(super) fn close(self) -> (Phase, Option<Wakefulness>) {
        (self.phase, self.awake)
    }

    /// Starts the job process and supervises it until it exits.
    ///
    /// * `token`: the token of the claim. The token is part of the name of the attempt's artifacts
    ///   folder.
    pub(super) async fn run(&mut self, job: &AdmittedJob, token: u64) -> AttemptOutcome {
        let mut spec = match self.job_spec(job, token) {
            Ok(spec) => spec,
            Err(failure) => return AttemptOutcome::Stopped(failure),
        };
        let ledger = match runner::check(&spec) {
            Ok(job) => Ledger::new(&job),
            Err(refused) => {
                let JobOutcome { failure, result, .. } = *refused;
                return AttemptOutcome::Reported { failure, result, submission: None };
            }
        };
        self.report(first_progress(&self.worker.worker_id, job, eta_s(&spec)));
        spec.history = ledger.history(&self.worker.redis).await;
        self.awake = Some(self.worker.sleep_inhibitor.hold());
        match Child::spawn(&spec) {
            Ok(child) => {
                self.worker.spawn_backoff.succeeded();
                self.supervise(child, &ledger).await
            }
            Err(error) => {
                let retry_after = self.worker.spawn_backoff.failed(&error.to_string());
                AttemptOutcome::NotStarted { retry_after }
            }
        }
    }

    /// Returns the message that the job process receives.
    ///
    /// # Errors
    /// Returns [`ErrorCode::BarsSourceUnavailable`] if no source of bars can be used.
    fn job_spec(&self, job: &AdmittedJob, token: u64) -> Result<JobSpec, JobError> {
        let jobs = &self.worker.config.jobs;
        let snapshot = self.worker.catalog.current();
        Ok(JobSpec {
            job_id: job.id.clone(),
            build_id: job.build_id.clone(),
            payload: job.payload.clone(),
            plugins: snapshot.plugins(),
            refused: snapshot.refused(),
            resources: JobResources::from_config(jobs, &self.worker.worker_id)?,
            artifacts: ArtifactsLocation { dir: jobs.artifacts_dir.clone(), token: token.to_string() },
            history: SubmissionHistory::Known(Vec::new()),
        })
    }

    /// Forwards progress until the process sends a result, dies or must be killed.
    async fn supervise(&mut self, mut child: Child, ledger: &Ledger) -> AttemptOutcome {
        let mut shutdown = self.worker.shutdown.clone();
        let timeout = tokio::time::sleep(self.worker.config.jobs.timeout);
        tokio::pin!(timeout);
        loop {
            let stopped = tokio::select! {
                event = child.event() => match event {
                    Some(JobEvent::Progress(progress)) => {
                        self.report(progress);
                        continue;
                    }
                    Some(JobEvent::Finished { failure, result, plugins, submission }) => {
                        // The health is recorded before the result is published, because
                        // recording it may withdraw a crashed generation. A job that is pushed in
                        // response to the result must already run with the replacement.
                        tokio::task::block_in_place(|| self.worker.catalog.record_usage(&plugins));
                        child.close().await;
                        let submission = submission.and_then(|new| ledger.entry(&new));
                        return AttemptOutcome::Reported { failure, result, submission };
                    }
                    None => return AttemptOutcome::Died(child.close().await),
                },
                () = &mut timeout => AttemptOutcome::Stopped(self.timed_out()),
                status = self.lease.changed() => match status {
                    LeaseStatus::Cancelled => AttemptOutcome::Stopped(JobError::cancelled(self.phase)),
                    // `changed` never returns `Held`.
                    LeaseStatus::Lost | LeaseStatus::Reverted | LeaseStatus::Held => match recover(self.worker, self.lease).await {
                        Recovery::Restored => continue,
                        Recovery::Lost => AttemptOutcome::Lost,
                        Recovery::Interrupted => AttemptOutcome::Released,
                    },
                },
                () = reached(&mut shutdown, ShutdownPhase::Releasing) => AttemptOutcome::Released,
            };
            // The process gets no grace time, because another worker may already run the job, or a
            // user waits for the cancellation.
            child.kill();
            child.close().await;
            return stopped;
        }
    }

    /// Forwards the progress to the publisher.
    fn report(&mut self, progress: Progress) {
        self.phase = progress.phase;
        // Sending fails only if the publisher has panicked. The job then continues without progress
        // events.
        let _ = self.reports.send(progress);
    }

    /// Returns the failure of a job that exceeds its timeout.
    fn timed_out(&self) -> JobError {
        let seconds = self.worker.config.jobs.timeout.as_secs();
        let message = format!("the job ran longer than the limit of {seconds} s and was killed");
        let hint = "request fewer symbols, years, trials or epochs, or raise JOB_TIMEOUT_SECONDS";
        JobError::failed(self.phase, ErrorCode::Timeout, message, hint)
    }
}

/// Returns the expected seconds of a job that has not started, or `None` if no similar job has run
/// on this machine.
fn eta_s(spec: &JobSpec) -> Option<f64> {
    JobShape::from_payload(&spec.payload)?.forecast_s(&SpeedHistory::read(&spec.resources.speeds))
}

/// Returns the first progress of an attempt: the worker has claimed the job.
fn first_progress(worker_id: &str, job: &AdmittedJob, eta_s: Option<f64>) -> Progress {
    let details = serde_json::json!({
        "message": format!("claimed by worker {worker_id}"),
        "attempt": job.attempt,
        "queue_length": job.queue_length,
        "percent": 0,
    });
    let mut details = details.as_object().cloned().unwrap_or_default();
    details.extend(eta_s.map(|eta_s| ("eta_s".to_owned(), tenths(eta_s).into())));
    Progress { phase: Phase::Queued, status: Status::InProgress, details }
}
