//! One attempt at one job: from the claim to its end.

use oculus_job::code::ErrorCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::attempt_outcome::{AttemptOutcome, refused};
use super::child::Child;
use super::claim::Claim;
use super::claim_outcome::{ClaimOutcome, FinishStatus};
use super::intake::{Admission, AdmittedJob, admit};
use super::lease::Lease;
use super::progress::{EventPacer, publish};
use super::queue::{LeaseStatus, Queue};
use super::shutdown::{ShutdownPhase, reached};
use super::spool::SpooledResult;
use super::{LONGEST_PAUSE, Worker};
use crate::runner::spec::{ArtifactsPlace, JobEvent, JobResources, JobSpec};
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Phase, Progress, Status};
use oculus_system::backoff::Backoff;

/// Runs a claim to its end; every ending is told to the queue, unless the job is in other hands.
pub async fn run(worker: Arc<Worker>, queue: Queue, claim: Claim) {
    let mut lease = worker.leases.hold(&queue, claim.id);
    let mut stages = worker.stages.clone();
    let admission = tokio::select! {
        admission = admit_with_retry(&worker, &queue, &claim) => admission,
        _ = lease.ended() => return,
        // Without an answer from Redis nothing can be given back; the lease ends by itself.
        () = reached(&mut stages, ShutdownPhase::Releasing) => return,
    };
    let mut pause = Duration::ZERO;
    let (id, outcome) = match admission {
        Admission::Skip => return,
        Admission::Refused(refusal) => {
            let (code, message) = (refusal.failure.code.as_str(), &refusal.failure.message);
            tracing::warn!(job = refusal.id, code, "entry is no job: {message}");
            worker.board.count(|counters| counters.failed += 1);
            (refusal.id.clone(), Some(refused(&refusal)))
        }
        Admission::Run(job) => {
            let (outcome, rest) = perform(&worker, &job, claim.id.token, &mut lease).await;
            pause = rest;
            worker.board.remove(&job.id);
            (Some(job.id), outcome)
        }
    };
    if let Some(ending) = outcome {
        let spooled = worker.spool.ending(queue.name(), claim.id, id, ending);
        submit(&worker, &queue, &spooled).await;
    }
    // Its slot stays taken meanwhile, so that the job does not come back here at once.
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = reached(&mut stages, ShutdownPhase::Draining) => {}
    }
}

async fn admit_with_retry(worker: &Worker, queue: &Queue, claim: &Claim) -> Admission {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match admit(queue, claim).await {
            Ok(admission) => return admission,
            Err(_) if *worker.stages.borrow() >= ShutdownPhase::Draining => return Admission::Skip,
            Err(_) => tokio::time::sleep(backoff.pause()).await,
        }
    }
}

/// Runs the job's process, forwards what it says, and says how it ended and how long to rest before the next.
async fn perform(
    worker: &Worker,
    job: &AdmittedJob,
    token: u64,
    lease: &mut Lease,
) -> (Option<ClaimOutcome>, Duration) {
    tracing::info!(job = job.id, attempt = job.attempt, "job started");
    let started = Instant::now();
    let (said, heard) = mpsc::unbounded_channel();
    let shared = (Arc::clone(&worker.link), worker.board.clone());
    let publisher = tokio::spawn(publish(EventPacer::new(&job.id, started), heard, lease.freshness(), shared));
    let mut phase = Phase::Queued;
    let mut rest = Duration::ZERO;
    let ending = match spec(worker, job, token) {
        Ok(spec) => {
            let _ = said.send(taken(worker, job));
            match Child::spawn(&spec) {
                Ok(child) => {
                    worker.starts.succeeded();
                    let hear = |progress: Progress| {
                        phase = progress.phase;
                        let _ = said.send(progress);
                    };
                    supervise(worker, child, lease, hear).await
                }
                Err(error) => {
                    rest = worker.starts.failed(&error.to_string());
                    AttemptOutcome::NotStarted
                }
            }
        }
        Err(failure) => AttemptOutcome::Stopped(failure),
    };
    drop(said);
    let mut pace = publisher.await.unwrap_or_else(|_| EventPacer::new(&job.id, started));
    let how = ending.name();
    tracing::info!(job = job.id, attempt = job.attempt, seconds = started.elapsed().as_secs_f64(), "job {how}");
    worker.board.count(|counters| ending.count(counters));
    (ending.outcome(job, &mut pace, phase), rest)
}

/// Stays with the job's process until it has answered, died or must go.
async fn supervise(
    worker: &Worker,
    mut child: Child,
    lease: &mut Lease,
    mut hear: impl FnMut(Progress),
) -> AttemptOutcome {
    let mut stages = worker.stages.clone();
    let timeout = tokio::time::sleep(worker.config.jobs.timeout);
    tokio::pin!(timeout);
    let mut phase = Phase::Queued;
    let ending = loop {
        tokio::select! {
            event = child.event() => match event {
                Some(JobEvent::Progress(progress)) => {
                    phase = progress.phase;
                    hear(progress);
                }
                Some(JobEvent::Finished { failure, result, plugins }) => {
                    // Before the end is told: whoever submits a job then finds the plugin that serves from here on.
                    tokio::task::block_in_place(|| worker.catalog.record_usage(&plugins));
                    break Some(AttemptOutcome::Answered { failure, result });
                }
                None => break None,
            },
            () = &mut timeout => break Some(AttemptOutcome::Stopped(timed_out(worker, phase))),
            standing = lease.ended() => break Some(match standing {
                LeaseStatus::Cancelled => AttemptOutcome::Stopped(cancelled(phase)),
                LeaseStatus::Lost | LeaseStatus::Held => AttemptOutcome::Lost,
            }),
            () = reached(&mut stages, ShutdownPhase::Releasing) => break Some(AttemptOutcome::Released),
        }
    };
    if !matches!(ending, Some(AttemptOutcome::Answered { .. }) | None) {
        child.kill();
    }
    let death = child.end().await;
    ending.unwrap_or(AttemptOutcome::Died(death))
}

fn taken(worker: &Worker, job: &AdmittedJob) -> Progress {
    let details =
        serde_json::json!({ "message": format!("taken by {}", worker.name), "attempt": job.attempt, "percent": 0 });
    let details = details.as_object().cloned().unwrap_or_default();
    Progress { phase: Phase::Queued, status: Status::InProgress, details }
}

fn spec(worker: &Worker, job: &AdmittedJob, token: u64) -> Result<JobSpec, Failure> {
    let snapshot = worker.catalog.current();
    Ok(JobSpec {
        job_id: job.id.clone(),
        build_id: job.build_id.clone(),
        payload: job.payload.clone(),
        plugins: snapshot.plugins(),
        refused: snapshot.refused(),
        resources: JobResources::from_config(&worker.config.jobs, &worker.name)?,
        artifacts: ArtifactsPlace { dir: worker.config.jobs.artifacts_dir.clone(), token: token.to_string() },
    })
}

fn timed_out(worker: &Worker, phase: Phase) -> Failure {
    let message = format!("the job ran longer than {} s and was killed", worker.config.jobs.timeout.as_secs());
    let hint = "ask for fewer symbols, years, trials or epochs, or raise JOB_TIMEOUT_SECONDS";
    Failure::failed(phase, ErrorCode::Timeout, message, hint)
}

fn cancelled(phase: Phase) -> Failure {
    let failure = Failure::failed(
        phase,
        ErrorCode::Cancelled,
        "somebody asked for the end of this job",
        "submit it again to run it",
    );
    Failure { kind: Kind::Cancelled, ..failure }
}

/// Tells the queue until it has heard; an ending that it cannot hear is kept on disk meanwhile, and with it there a worker
/// that is to end need not wait.
pub async fn submit(worker: &Worker, queue: &Queue, spooled: &SpooledResult) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut stages = worker.stages.clone();
    let (mut n_failed, mut may_end_at) = (0, ShutdownPhase::Releasing);
    loop {
        match queue.finish(spooled.claim, spooled.id.as_deref(), &spooled.ending).await {
            Ok(finish) => {
                worker.spool.forget(spooled);
                return heard(worker, spooled, finish, n_failed);
            }
            Err(error) if n_failed == 0 => may_end_at = keep(worker, spooled, &error),
            Err(_) => {}
        }
        n_failed += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut stages, may_end_at), if n_failed > 5 => return,
        }
    }
}

fn heard(worker: &Worker, spooled: &SpooledResult, finish: FinishStatus, n_failed: u32) {
    let (job, token) = (spooled.id.as_deref(), spooled.claim.token);
    match finish {
        FinishStatus::Finished => tracing::debug!(job, token, "ending accepted"),
        FinishStatus::Requeued => tracing::warn!(job, token, "the job's process died; the job goes back to the queue"),
        FinishStatus::Dead => tracing::warn!(job, token, "the entry is a dead letter now"),
        FinishStatus::Fenced if n_failed > 0 => {
            tracing::warn!(job, token, "ending accepted in an earlier try, or the job is in other hands");
        }
        FinishStatus::Fenced => {
            worker.board.count(|counters| counters.fenced += 1);
            tracing::warn!(job, token, "ending discarded: the job is in other hands");
        }
    }
}

/// Keeps an ending on disk, and says from which stage on nobody need wait for Redis.
fn keep(worker: &Worker, spooled: &SpooledResult, error: &redis::RedisError) -> ShutdownPhase {
    // A release needs no keeping: the lease ends by itself.
    if spooled.ending == ClaimOutcome::Release {
        return ShutdownPhase::Draining;
    }
    match worker.spool.keep(spooled) {
        Ok(path) => {
            let path = path.display();
            tracing::warn!(job = spooled.id, "the result waits on disk for Redis, also beyond this worker: {path}");
            ShutdownPhase::Draining
        }
        Err(problem) => {
            tracing::error!(job = spooled.id, "the result can be neither sent ({error}) nor kept on disk ({problem})");
            ShutdownPhase::Releasing
        }
    }
}
