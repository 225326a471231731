//! One attempt at one job, from the claim to the submitted outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_job::progress::Phase;
use oculus_system::backoff::Backoff;
use tokio::sync::mpsc;

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
use super::submit::submit;
use super::supervisor::Supervisor;
use crate::eta::tenths;

/// Runs the job of a claim and submits its outcome, unless the claim is lost.
pub(super) async fn run(worker: Arc<WorkerContext>, queue: Queue, claim: Claim) {
    let mut lease = worker.leases.hold(&queue, claim.id);
    let mut shutdown = worker.shutdown.clone();
    let admission = tokio::select! {
        admission = admit_with_retry(&worker, &queue, &claim) => admission,
        // A cancellation does not stop the admission, because the id of the job might not be known
        // yet. The supervisor receives the cancellation as soon as the job starts.
        () = lease.lost() => return,
        // Admission lasts this long only if Redis does not respond. Then the entry cannot be
        // requeued here, but the reaper requeues it when its lease expires.
        () = reached(&mut shutdown, ShutdownPhase::Releasing) => return,
    };
    let finished = match admission {
        Admission::Skip => return,
        Admission::Refused(refusal) => refuse(&worker, refusal, claim.id.token),
        Admission::Run(job) => run_job(&worker, job, claim.id.token, &mut lease).await,
    };
    if let Some(outcome) = finished.outcome {
        let result = worker.spool.result(queue.name(), claim.id, finished.id, outcome);
        submit(&worker, &queue, &result).await;
    }
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
}

/// Admits a claim. While Redis is unavailable, the admission is retried until the worker drains.
async fn admit_with_retry(worker: &WorkerContext, queue: &Queue, claim: &Claim) -> Admission {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match admit(queue, claim).await {
            Ok(admission) => return admission,
            // The reaper requeues the entry when its lease expires.
            Err(_) if *worker.shutdown.borrow() >= ShutdownPhase::Draining => return Admission::Skip,
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
    FinishedClaim { id: refusal.id, outcome: Some(outcome), pause: Duration::ZERO }
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
    // `into_phase` drops the sender of the reports, so that the publisher returns. The final event
    // is stored with the result, and no progress event must follow it.
    let phase = supervisor.into_phase();
    let mut stamper = publisher.await.unwrap_or_else(|_| EventStamper::new(&job.id, started));
    log_outcome(&job, token, &outcome, phase, started.elapsed());
    worker.status.count(|counters| outcome.count(counters));
    worker.status.remove(&job.id);
    let pause = outcome.pause();
    let outcome = outcome.into_claim_outcome(&job, &mut stamper, phase);
    FinishedClaim { id: Some(job.id), outcome, pause }
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
