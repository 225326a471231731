//! One attempt at one job: from the claim to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_system::backoff::Backoff;
use tokio::sync::mpsc;

use super::attempt_outcome::refused;
use super::claim::Claim;
use super::claim_outcome::ClaimOutcome;
use super::context::{LONGEST_PAUSE, WorkerContext};
use super::entry::Refusal;
use super::intake::{Admission, AdmittedJob, admit};
use super::lease::Lease;
use super::progress::{EventPacer, EventStamper, ProgressPublisher};
use super::queue::Queue;
use super::shutdown::{ShutdownPhase, reached};
use super::submit::submit;
use super::supervisor::Supervisor;

/// Runs a claim to its end and submits its outcome, unless the claim is lost.
pub(super) async fn run(worker: Arc<WorkerContext>, queue: Queue, claim: Claim) {
    let mut lease = worker.leases.hold(&queue, claim.id);
    let mut shutdown = worker.shutdown.clone();
    let admission = tokio::select! {
        admission = admit_with_retry(&worker, &queue, &claim) => admission,
        // A cancellation does not end the admission: the supervisor stops the job and reports it.
        () = lease.lost() => return,
        // Without a response from Redis the entry cannot be requeued; its lease expires.
        () = reached(&mut shutdown, ShutdownPhase::Releasing) => return,
    };
    let ended = match admission {
        Admission::Skip => return,
        Admission::Refused(refusal) => refuse(&worker, refusal),
        Admission::Run(job) => perform(&worker, job, claim.id.token, &mut lease).await,
    };
    if let Some(outcome) = ended.outcome {
        let result = worker.spool.result(queue.name(), claim.id, ended.id, outcome);
        submit(&worker, &queue, &result).await;
    }
    // The slot stays taken during the pause, so that the job does not return to this worker at
    // once.
    tokio::select! {
        () = tokio::time::sleep(ended.pause) => {}
        () = reached(&mut shutdown, ShutdownPhase::Draining) => {}
    }
}

/// A claim on which no more work is done.
struct EndedClaim {
    /// The job id, if one could be read.
    id: Option<String>,
    /// `None` if the claim is lost.
    outcome: Option<ClaimOutcome>,
    /// How long the slot rests before it takes the next job.
    pause: Duration,
}

async fn admit_with_retry(worker: &WorkerContext, queue: &Queue, claim: &Claim) -> Admission {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match admit(queue, claim).await {
            Ok(admission) => return admission,
            Err(_) if *worker.shutdown.borrow() >= ShutdownPhase::Draining => return Admission::Skip,
            Err(_) => tokio::time::sleep(backoff.pause()).await,
        }
    }
}

fn refuse(worker: &WorkerContext, refusal: Refusal) -> EndedClaim {
    let code = refusal.failure.code.as_str();
    tracing::warn!(job = refusal.id, code, "entry is not a job: {}", refusal.failure.message);
    worker.status.count(|counters| counters.failed += 1);
    let outcome = refused(&refusal);
    EndedClaim { id: refusal.id, outcome: Some(outcome), pause: Duration::ZERO }
}

/// Runs the job's process to its end and publishes its progress.
async fn perform(worker: &WorkerContext, job: AdmittedJob, token: u64, lease: &mut Lease) -> EndedClaim {
    tracing::info!(job = job.id, attempt = job.attempt, "job started");
    let started = Instant::now();
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
    // Drops the sender of the reports, which ends the publisher.
    let phase = supervisor.into_phase();
    let mut stamper = publisher.await.unwrap_or_else(|_| EventStamper::new(&job.id, started));
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(job = job.id, attempt = job.attempt, seconds, "job {}", outcome.name());
    worker.status.count(|counters| outcome.count(counters));
    worker.status.remove(&job.id);
    let pause = outcome.pause();
    let outcome = outcome.into_claim_outcome(&job, &mut stamper, phase);
    EndedClaim { id: Some(job.id), outcome, pause }
}
