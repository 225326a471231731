//! The worker: takes jobs from Redis, runs each in a process of its own, and answers.
//!
//! In: entries of the queues, signals. Out: results, progress, heartbeats.
//! Invariant: whatever dies, a job is in the queue, under a lease, or ended; and this process loads no plugin.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use oculus_plugin_host::catalog::{Catalog, log};

mod attempt;
mod attempt_outcome;
mod child;
pub mod claim;
pub mod claim_outcome;
pub mod entry;
mod heartbeat;
pub mod intake;
mod lease;
mod progress;
pub mod queue;
mod queue_poller;
mod reaper;
pub mod redis_client;
mod registration;
mod shutdown;
mod spawn_backoff;
mod spool;

use claim::Holder;
use heartbeat::WorkerStatus;
use lease::Leases;
use oculus_system::backoff::Backoff;
use queue::Queue;
use queue_poller::QueuePoller;
use redis_client::{ANSWER_TIMEOUT, Outage, RedisClient};
use registration::{Backend, Registration};
use shutdown::{ShutdownPhase, reached};
use spawn_backoff::SpawnBackoff;
use spool::ResultSpool;

/// The longest pause between two tries at something that must be done; well under any lease.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the parts of a running worker share.
struct Worker {
    name: String,
    config: Config,
    catalog: Arc<Catalog>,
    queues: Vec<Queue>,
    link: Arc<RedisClient>,
    leases: Leases,
    board: WorkerStatus,
    spool: ResultSpool,
    starts: SpawnBackoff,
    stages: watch::Receiver<ShutdownPhase>,
}

/// Runs until a signal ends it.
///
/// # Errors
/// What stands in the way of a start; once it runs it outlives every outage of Redis and backend.
pub async fn run(config: Config, catalog: Arc<Catalog>) -> anyhow::Result<()> {
    let who = Registration::of_process(&config);
    let backend = Arc::new(Backend::new(&config.backend)?);
    let (worker, schedule) = set_up(config, catalog, &who.worker_id)?;
    let worker = Arc::new(worker);
    warn_of_oddities(&worker);
    let told = (worker.board.clone(), worker.catalog.subscribe(), worker.stages.clone());
    let announcements = tokio::spawn(log::run(worker.catalog.subscribe()));
    let heartbeats = tokio::spawn(heartbeat::run(Arc::clone(&backend), who, told));
    if contact_redis(&worker).await {
        let reaper = tokio::spawn(reaper::run(Arc::clone(&worker)));
        submit_unsent(&worker);
        take_jobs(&worker, schedule).await;
        reaper.abort();
    }
    heartbeats.abort();
    announcements.abort();
    heartbeat::send_final_heartbeat(&backend, &worker.name, &worker.board).await;
    tracing::info!("worker ended");
    Ok(())
}

fn set_up(config: Config, catalog: Arc<Catalog>, worker_id: &str) -> anyhow::Result<(Worker, QueuePoller)> {
    let client =
        redis_client::client(&config.redis).with_context(|| format!("{} is no address of Redis", config.redis))?;
    let outage = Outage::of(&format!("Redis at {}", config.redis));
    let link = Arc::new(RedisClient::new(client.clone(), ANSWER_TIMEOUT, outage.clone()));
    let waiting = RedisClient::new(client.clone(), ANSWER_TIMEOUT + Duration::from_secs(2), outage.clone());
    let holder = Holder::new(worker_id).context("no random source for the boot id")?;
    let queue = |list: &String| Queue::new(list, &holder, &config.queue, Arc::clone(&link));
    let queues: Vec<Queue> = config.queue.names.iter().map(queue).collect();
    let schedule = QueuePoller::new(queues.clone(), waiting);
    let leases = Leases::start(client, config.queue.lease, outage).context("no thread for the leases")?;
    let stages = shutdown::listen().context("no signals can be heard")?;
    let spool = ResultSpool::within(&config.jobs.artifacts_dir, &config.redis.to_string());
    let (board, starts) = (WorkerStatus::new(), SpawnBackoff::default());
    let name = holder.worker_id;
    let worker = Worker { name, config, catalog, queues, link, leases, board, spool, starts, stages };
    Ok((worker, schedule))
}

fn warn_of_oddities(worker: &Worker) {
    for warning in &worker.config.warnings {
        tracing::warn!("{warning}");
    }
    if worker.catalog.current().plugins().is_empty() {
        let folder = worker.catalog.folder().display();
        tracing::warn!(
            "no plugin in {folder}: jobs will be refused; `cargo xtask plugins` builds those of this project"
        );
    }
}

/// Waits until Redis serves, with every right that is needed; `false` when the worker is to end before.
async fn contact_redis(worker: &Worker) -> bool {
    let (mut stages, mut backoff) = (worker.stages.clone(), Backoff::up_to(LONGEST_PAUSE));
    let rights = Outage::of(&format!("Redis at {}", worker.config.redis));
    while !has_rights(worker, &rights).await {
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = reached(&mut stages, ShutdownPhase::Draining) => return false,
        }
    }
    rights.ended();
    for queue in &worker.queues {
        reaper::warn_of_legacy_queue(queue).await;
    }
    true
}

async fn has_rights(worker: &Worker, rights: &Outage) -> bool {
    let mut missing = BTreeSet::new();
    for queue in &worker.queues {
        match queue.missing_rights().await {
            Ok(more) => missing.extend(more),
            // Said by the link.
            Err(_) => return false,
        }
    }
    if !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        rights.began(&format!("this user may not do {missing} (`ACL SETUSER` grants it; docs/configuration.md)"));
        return false;
    }
    true
}

/// Submits what an earlier worker on this machine could not.
fn submit_unsent(worker: &Arc<Worker>) {
    for spooled in worker.spool.kept() {
        let Some(queue) = worker.queues.iter().find(|queue| queue.name() == spooled.queue).cloned() else { continue };
        tracing::info!(job = spooled.id, "submitting a result that an earlier worker could not");
        let worker = Arc::clone(worker);
        tokio::spawn(async move { attempt::submit(&worker, &queue, &spooled).await });
    }
}

/// Takes a job whenever a slot is free, until draining; then waits for those that run.
async fn take_jobs(worker: &Arc<Worker>, mut schedule: QueuePoller) {
    let slots = Arc::new(Semaphore::new(worker.config.jobs.concurrency));
    let mut running = JoinSet::new();
    let mut stages = worker.stages.clone();
    worker.board.set_shutdown_phase(ShutdownPhase::Running);
    let (queues, concurrency) = (worker.config.queue.names.join(","), worker.config.jobs.concurrency);
    tracing::info!(worker = worker.name, queues, concurrency, "worker ready");
    while *stages.borrow() == ShutdownPhase::Running {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = reached(&mut stages, ShutdownPhase::Draining) => break,
        };
        match schedule.fetch().await {
            Some((queue, claim)) => {
                let worker = Arc::clone(worker);
                running.spawn(async move {
                    attempt::run(worker, queue, claim).await;
                    drop(slot);
                });
            }
            None => tokio::select! {
                () = schedule.wait() => {}
                () = reached(&mut stages, ShutdownPhase::Draining) => break,
            },
        }
        while running.try_join_next().is_some() {}
    }
    worker.board.set_shutdown_phase(ShutdownPhase::Draining);
    while running.join_next().await.is_some() {}
}
