//! One attempt at one job, from the claim to the submitted outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_system::backoff::Backoff;
use tokio::sync::mpsc;

use super::adoption::{Recovery, recover};
use super::attempt_outcome::{AttemptOutcome, FailureLog, refusal_outcome};
use super::claim::Claim;
use super::claim_outcome::ClaimOutcome;
use super::context::{LONGEST_PAUSE, WorkerContext};
use super::entry::EntryError;
use super::intake::{Admission, AdmittedJob, admit};
use super::lease::Lease;
use super::progress::{EventPacer, EventStamper, ProgressPublisher};
use super::queue::Queue;
use super::shutdown::{ShutdownPhase, reached};
use super::sleep_inhibitor::Wakefulness;
use super::submit::submit;
use super::supervisor::Supervisor;
use crate::eta::tenths;

/// Runs the job of a claim and submits its outcome, unless the claim is lost.
pub(super) async fn run(worker: Arc<WorkerContext>, queue: Queue, claim: Claim) {
    let mut lease = worker.leases.hold(&queue, &claim);
    let mut shutdown = worker.shutdown.clone();
    let finished = match admit_held(&worker, claim, &mut lease).await {
        Some(Admission::Skip | Admission::Lost) => return,
        Some(Admission::Refused(refusal)) => refuse(&worker, refusal, lease.claim().token),
        Some(Admission::Cancelled(job)) => {
            lease.record_start(&job);
            cancel_before_start(&worker, &job, lease.claim().token)
        }
        Some(Admission::Run(job)) => {
            lease.record_start(&job);
            run_job(&worker, job, lease.claim().token, &mut lease).await
        }
        None => {
            let id = lease.job_id().map(str::to_owned);
            FinishedClaim::new(id, Some(ClaimOutcome::Release))
        }
    };
    if let Some(outcome) = finished.outcome {
        let result = worker.spool.result(queue.name(), lease.claim(), finished.id, outcome, lease.record());
        submit(&worker, &queue, result).await;
    }
    drop(finished.awake);
    // The slot stays occupied during the pause, so that this worker does not immediately fetch the
    // requeued job again.
    tokio::select! {
        () = tokio::time::sleep(finished.pause) => {}
        () = reached(&mut shutdown, ShutdownPhase::Draining) => {}
    }
}

/// A claim whose work is finished but whose outcome has not been submitted yet.
struct FinishedClaim {
    /// The job id, if one could be read.
    id: Option<String>,
    /// `None` if the claim is lost.
    outcome: Option<ClaimOutcome>,
    /// The pause before the slot takes the next job.
    pause: Duration,
    /// Holds off sleep until the outcome is submitted.
    awake: Option<Wakefulness>,
}

impl FinishedClaim {
    /// Creates the end of a claim for which no job process has run.
    fn new(id: Option<String>, outcome: Option<ClaimOutcome>) -> Self {
        Self { id, outcome, pause: Duration::ZERO, awake: None }
    }
}

/// Admits a claim. If Redis loses the claim meanwhile, it is restored and admitted again. Returns
/// `None` if the worker shuts down and Redis is unavailable. The entry is then released.
async fn admit_held(worker: &WorkerContext, mut claim: Claim, lease: &mut Lease) -> Option<Admission> {
    let mut shutdown = worker.shutdown.clone();
    loop {
        claim.id = lease.claim();
        let queue = lease.queue().clone();
        let admission = tokio::select! {
            admission = admit_with_retry(worker, &queue, &claim) => admission?,
            // A cancellation does not stop the admission, because the id of the job might not be known
            // yet. START reports the cancellation.
            () = lease.lost() => Admission::Lost,
            // Admission lasts this long only if Redis does not respond.
            () = reached(&mut shutdown, ShutdownPhase::Releasing) => return None,
        };
        if !matches!(admission, Admission::Lost) {
            return Some(admission);
        }
        match recover(worker, lease).await {
            Recovery::Restored => {}
            Recovery::Lost => {
                let token = claim.id.token;
                tracing::warn!(job = lease.job_id(), token, "job not run: its lease was lost before the start");
                return Some(Admission::Lost);
            }
            Recovery::Interrupted => return None,
        }
    }
}

/// Admits a claim. While Redis is unavailable, the admission is retried until the worker drains.
/// Returns `None` if the worker drains first.
async fn admit_with_retry(worker: &WorkerContext, queue: &Queue, claim: &Claim) -> Option<Admission> {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match admit(queue, claim).await {
            Ok(admission) => return Some(admission),
            Err(_) if *worker.shutdown.borrow() >= ShutdownPhase::Draining => return None,
            // The Redis client has logged the error.
            Err(_) => tokio::time::sleep(backoff.pause()).await,
        }
    }
}

/// Logs and counts the refusal of an entry, and returns its dead letter as the outcome.
fn refuse(worker: &WorkerContext, refusal: EntryError, token: u64) -> FinishedClaim {
    let code = refusal.failure.code.as_str();
    tracing::warn!(job = refusal.id, token, code, "entry refused: {}", refusal.failure.message);
    worker.status.count(|counters| counters.failed += 1);
    let outcome = refusal_outcome(&refusal);
    FinishedClaim::new(refusal.id, Some(outcome))
}

/// Returns the outcome of a job whose cancellation was requested before it started.
fn cancel_before_start(worker: &WorkerContext, job: &AdmittedJob, token: u64) -> FinishedClaim {
    let started = Instant::now();
    let outcome = AttemptOutcome::Stopped(JobError::cancelled(Phase::Queued));
    log_outcome(job, token, &outcome, Phase::Queued, started.elapsed());
    worker.status.count(|counters| outcome.count(counters));
    let outcome = outcome.into_claim_outcome(job, &mut EventStamper::new(&job.id, started), Phase::Queued);
    FinishedClaim::new(Some(job.id.clone()), outcome)
}

/// Runs the job process until it exits, and publishes its progress.
async fn run_job(worker: &WorkerContext, job: AdmittedJob, token: u64, lease: &mut Lease) -> FinishedClaim {
    tracing::info!(job = job.id, attempt = job.attempt, token, "job started");
    let started = Instant::now();
    // The channel is unbounded, so that the supervisor never waits for Redis. The publisher merges
    // the reports that it receives while Redis is slow.
    let (reports, received) = mpsc::unbounded_channel();
    let publisher = ProgressPublisher {
        pacer: EventPacer::new(EventStamper::new(&job.id, started)),
        freshness: lease.freshness(),
        redis: Arc::clone(&worker.redis),
        status: worker.status.clone(),
    };
    let publisher = tokio::spawn(publisher.run(received));
    let mut supervisor = Supervisor::new(worker, lease, reports);
    let outcome = supervisor.run(&job, token).await;
    // `close` drops the sender of the reports, so that the publisher returns. The final event is
    // stored with the result, and no progress event must follow it.
    let (phase, awake) = supervisor.close();
    let mut stamper = publisher.await.unwrap_or_else(|_| EventStamper::new(&job.id, started));
    log_outcome(&job, token, &outcome, phase, started.elapsed());
    worker.status.count(|counters| outcome.count(counters));
    worker.status.remove(&job.id);
    let pause = outcome.pause();
    let outcome = outcome.into_claim_outcome(&job, &mut stamper, phase);
    FinishedClaim { id: Some(job.id), outcome, pause, awake }
}

/// Logs the outcome of an attempt: a warning with the cause unless the job succeeded or is released.
///
/// * `phase`: the last phase that the job reported.
fn log_outcome(job: &AdmittedJob, token: u64, outcome: &AttemptOutcome, phase: Phase, elapsed: Duration) {
    let AdmittedJob { id: job, attempt, .. } = job;
    let seconds = tenths(elapsed.as_secs_f64());
    let name = outcome.name();
    let Some(failure) = outcome.failure() else {
        return match outcome {
            AttemptOutcome::Lost => tracing::warn!(job, attempt, token, seconds, phase = phase.name(), "job {name}"),
            _ => tracing::info!(job, attempt, token, seconds, "job {name}"),
        };
    };
    let FailureLog { code, phase: failed_in, message, signal, exit_code } = failure;
    let phase = failed_in.unwrap_or(phase).name();
    tracing::warn!(job, attempt, token, seconds, code, phase, signal, exit_code, "job {name}: {message}");
}
