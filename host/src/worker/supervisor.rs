//! Supervises the process of one attempt: its progress, its result, and every reason to end it
//! early.

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::{Phase, Progress, Status};
use tokio::sync::mpsc;

use super::attempt_outcome::AttemptOutcome;
use super::child::Child;
use super::context::WorkerContext;
use super::intake::AdmittedJob;
use super::lease::Lease;
use super::queue::LeaseStatus;
use super::shutdown::{ShutdownPhase, reached};
use crate::artifacts::ArtifactsPlace;
use crate::runner::spec::{JobEvent, JobResources, JobSpec};

/// The supervisor of one attempt.
pub(super) struct Supervisor<'a> {
    worker: &'a WorkerContext,
    lease: &'a mut Lease,
    reports: mpsc::UnboundedSender<Progress>,
    /// The phase that the job has reported last.
    phase: Phase,
}

impl<'a> Supervisor<'a> {
    /// Creates a supervisor that sends the job's progress to `reports`.
    pub(super) fn new(
        worker: &'a WorkerContext,
        lease: &'a mut Lease,
        reports: mpsc::UnboundedSender<Progress>,
    ) -> Self {
        Self { worker, lease, reports, phase: Phase::Queued }
    }

    /// Ends the progress reports and returns the phase that the job has reported last.
    pub(super) fn into_phase(self) -> Phase {
        self.phase
    }

    /// Starts the job's process and supervises it to its end.
    ///
    /// * `token`: the token of the claim, which names the attempt's artifacts.
    pub(super) async fn run(&mut self, job: &AdmittedJob, token: u64) -> AttemptOutcome {
        let spec = match self.job_spec(job, token) {
            Ok(spec) => spec,
            Err(failure) => return AttemptOutcome::Stopped(failure),
        };
        self.report(taken_by(&self.worker.worker_id, job));
        match Child::spawn(&spec) {
            Ok(child) => {
                self.worker.spawn_backoff.succeeded();
                self.supervise(child).await
            }
            Err(error) => {
                let retry_after = self.worker.spawn_backoff.failed(&error.to_string());
                AttemptOutcome::NotStarted { retry_after }
            }
        }
    }

    fn job_spec(&self, job: &AdmittedJob, token: u64) -> Result<JobSpec, Failure> {
        let jobs = &self.worker.config.jobs;
        let snapshot = self.worker.catalog.current();
        Ok(JobSpec {
            job_id: job.id.clone(),
            build_id: job.build_id.clone(),
            payload: job.payload.clone(),
            plugins: snapshot.plugins(),
            refused: snapshot.refused(),
            resources: JobResources::from_config(jobs, &self.worker.worker_id)?,
            artifacts: ArtifactsPlace { dir: jobs.artifacts_dir.clone(), token: token.to_string() },
        })
    }

    /// Forwards progress until the process has returned a result, has died or must end.
    async fn supervise(&mut self, mut child: Child) -> AttemptOutcome {
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
                    Some(JobEvent::Finished { failure, result, plugins }) => {
                        // Before the result is published: a job that is pushed in response then
                        // uses the plugin that is active from here on.
                        tokio::task::block_in_place(|| self.worker.catalog.record_usage(&plugins));
                        child.end().await;
                        return AttemptOutcome::Answered { failure, result };
                    }
                    None => return AttemptOutcome::Died(child.end().await),
                },
                () = &mut timeout => AttemptOutcome::Stopped(self.timed_out()),
                status = self.lease.ended() => match status {
                    LeaseStatus::Cancelled => AttemptOutcome::Stopped(Failure::cancelled(self.phase)),
                    LeaseStatus::Lost | LeaseStatus::Held => AttemptOutcome::Lost,
                },
                () = reached(&mut shutdown, ShutdownPhase::Releasing) => AttemptOutcome::Released,
            };
            child.kill();
            child.end().await;
            return stopped;
        }
    }

    fn report(&mut self, progress: Progress) {
        self.phase = progress.phase;
        let _ = self.reports.send(progress);
    }

    fn timed_out(&self) -> Failure {
        let seconds = self.worker.config.jobs.timeout.as_secs();
        let message = format!("the job ran longer than {seconds} s and was killed");
        let hint = "ask for fewer symbols, years, trials or epochs, or raise JOB_TIMEOUT_SECONDS";
        Failure::failed(self.phase, ErrorCode::Timeout, message, hint)
    }
}

/// Returns the first progress of an attempt.
fn taken_by(worker_id: &str, job: &AdmittedJob) -> Progress {
    let details = serde_json::json!({
        "message": format!("taken by {worker_id}"),
        "attempt": job.attempt,
        "percent": 0,
    });
    let details = details.as_object().cloned().unwrap_or_default();
    Progress { phase: Phase::Queued, status: Status::InProgress, details }
}
