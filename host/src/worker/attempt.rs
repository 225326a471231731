//! One attempt at one job: from the claim to its end.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::child::{Child, Death};
use super::ending::{Ending, refused};
use super::intake::{Admission, Job, admit};
use super::lease::Lease;
use super::link::Backoff;
use super::outcome::{Finish, Outcome};
use super::progress::{Pace, publish};
use super::queue::{Claim, Queue, Standing};
use super::shutdown::{Stage, reached};
use super::spool::Spooled;
use super::{LONGEST_PAUSE, Worker};
use crate::job::channel::{JobEvent, JobSpec, Setting};
use crate::job::failure::{Failure, Kind};
use crate::job::progress::{Phase, Progress, Status};

/// Runs a claim to its end; every ending is told to the queue, unless the job is in other hands.
pub async fn run(worker: Arc<Worker>, queue: Queue, claim: Claim) {
    let mut lease = worker.leases.hold(&queue, claim.token);
    let mut stages = worker.stages.clone();
    let admission = tokio::select! {
        admission = admit_surely(&queue, &claim) => admission,
        _ = lease.ended() => return,
        // Without an answer from Redis nothing can be given back; the lease ends by itself.
        () = reached(&mut stages, Stage::Releasing) => return,
    };
    let (id, outcome) = match admission {
        Admission::Over => return,
        Admission::Refused(refusal) => {
            let (code, message) = (&refusal.failure.code, &refusal.failure.message);
            tracing::warn!(job = refusal.id, code, "entry is no job: {message}");
            worker.board.count(|counters| counters.failed += 1);
            (refusal.id.clone(), Some(refused(&refusal)))
        }
        Admission::Run(job) => {
            let outcome = perform(&worker, &job, &mut lease).await;
            (Some(job.id), outcome)
        }
    };
    if let Some(ending) = outcome {
        let spooled = Spooled { queue: queue.name().to_owned(), token: claim.token, id: id.clone(), ending };
        submit(&worker, &queue, &spooled).await;
    }
    if let Some(id) = id {
        worker.board.remove(&id);
    }
}

async fn admit_surely(queue: &Queue, claim: &Claim) -> Admission {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match admit(queue, claim).await {
            Ok(admission) => return admission,
            Err(_) => tokio::time::sleep(backoff.pause()).await,
        }
    }
}

/// Runs the job's process, forwards what it says, and says how it ended.
async fn perform(worker: &Worker, job: &Job, lease: &mut Lease) -> Option<Outcome> {
    tracing::info!(job = job.id, attempt = job.attempt, "job started");
    let started = Instant::now();
    let (said, heard) = mpsc::unbounded_channel();
    let shared = (Arc::clone(&worker.link), worker.board.clone());
    let publisher = tokio::spawn(publish(Pace::new(&job.id, started), heard, lease.freshness(), shared));
    let mut phase = Phase::Queued;
    let ending = match spec(worker, job) {
        Ok(spec) => {
            let _ = said.send(taken(worker, job));
            attend(worker, &spec, lease, |progress| {
                phase = progress.phase;
                let _ = said.send(progress);
            })
            .await
        }
        Err(failure) => Ending::Stopped(failure),
    };
    drop(said);
    let mut pace = publisher.await.unwrap_or_else(|_| Pace::new(&job.id, started));
    let how = ending.name();
    tracing::info!(job = job.id, attempt = job.attempt, seconds = started.elapsed().as_secs_f64(), "job {how}");
    worker.board.count(|counters| ending.count(counters));
    ending.outcome(job, &mut pace, phase)
}

/// Stays with the job's process until it has answered, died or must go.
async fn attend(worker: &Worker, spec: &JobSpec, lease: &mut Lease, mut hear: impl FnMut(Progress)) -> Ending {
    let mut child = match Child::spawn(spec) {
        Ok(child) => child,
        Err(error) => {
            return Ending::Died(Death { exit_code: None, signal: None, last_lines: error.to_string() });
        }
    };
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
                Some(JobEvent::Finished { failure, result }) => break Some(Ending::Answered { failure, result }),
                None => break None,
            },
            () = &mut timeout => break Some(Ending::Stopped(timed_out(worker, phase))),
            standing = lease.ended() => break Some(match standing {
                Standing::Cancelled => Ending::Stopped(cancelled(phase)),
                Standing::Lost | Standing::Held => Ending::Lost,
            }),
            () = reached(&mut stages, Stage::Releasing) => break Some(Ending::Released),
        }
    };
    if !matches!(ending, Some(Ending::Answered { .. }) | None) {
        child.kill();
    }
    let death = child.end().await;
    ending.unwrap_or(Ending::Died(death))
}

fn taken(worker: &Worker, job: &Job) -> Progress {
    let details =
        serde_json::json!({ "message": format!("taken by {}", worker.name), "attempt": job.attempt, "percent": 0 });
    let details = details.as_object().cloned().unwrap_or_default();
    Progress { phase: Phase::Queued, status: Status::InProgress, details }
}

fn spec(worker: &Worker, job: &Job) -> Result<JobSpec, Failure> {
    Ok(JobSpec {
        job_id: job.id.clone(),
        build_id: job.build_id.clone(),
        payload: job.payload.clone(),
        plugins: worker.plugins.clone(),
        setting: Setting::of(&worker.config.jobs, &worker.name)?,
    })
}

fn timed_out(worker: &Worker, phase: Phase) -> Failure {
    let message = format!("the job ran longer than {} s and was killed", worker.config.jobs.timeout.as_secs());
    let hint = "ask for fewer symbols, years or trials, or raise JOB_TIMEOUT_SECONDS";
    Failure::failed(phase, "timeout", message, hint)
}

fn cancelled(phase: Phase) -> Failure {
    let failure =
        Failure::failed(phase, "cancelled", "somebody asked for the end of this job", "submit it again to run it");
    Failure { kind: Kind::Cancelled, ..failure }
}

/// Tells the queue until it has heard; an ending that it cannot hear is kept on disk meanwhile.
pub async fn submit(worker: &Worker, queue: &Queue, spooled: &Spooled) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut stages = worker.stages.clone();
    let mut n_failed = 0;
    loop {
        match queue.finish(spooled.token, spooled.id.as_deref(), &spooled.ending).await {
            Ok(finish) => {
                worker.spool.forget(spooled);
                return heard(worker, spooled, finish, n_failed);
            }
            Err(error) if n_failed == 0 => keep(worker, spooled, &error),
            Err(_) => {}
        }
        n_failed += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut stages, Stage::Releasing), if n_failed > 5 => return,
        }
    }
}

fn heard(worker: &Worker, spooled: &Spooled, finish: Finish, n_failed: u32) {
    let (job, token) = (spooled.id.as_deref(), spooled.token);
    match finish {
        Finish::Finished => tracing::debug!(job, token, "ending accepted"),
        Finish::Requeued => tracing::warn!(job, token, "the job's process died; the job goes back to the queue"),
        Finish::Dead => tracing::warn!(job, token, "the entry is a dead letter now"),
        Finish::Fenced if n_failed > 0 => {
            tracing::warn!(job, token, "ending accepted in an earlier try, or the job is in other hands");
        }
        Finish::Fenced => {
            worker.board.count(|counters| counters.fenced += 1);
            tracing::warn!(job, token, "ending discarded: the job is in other hands");
        }
    }
}

fn keep(worker: &Worker, spooled: &Spooled, error: &redis::RedisError) {
    // A release needs no keeping: the lease ends by itself.
    if spooled.ending != Outcome::Release
        && let Err(problem) = worker.spool.keep(spooled)
    {
        tracing::error!(job = spooled.id, "the result can be neither sent ({error}) nor kept on disk ({problem})");
    }
}
