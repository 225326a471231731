//! The worker: fetches jobs from Redis, runs each in a process of its own, and submits the results.
//!
//! In: entries of the queues, signals. Out: results, progress, heartbeats.
//! Invariant: after any crash, a job is in the queue, under a lease, or ended; and this process loads
//! no plugin.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oculus_plugin_host::catalog::{Catalog, log};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::Config;

mod attempt;
mod attempt_outcome;
mod backend;
mod child;
pub mod claim;
pub mod claim_outcome;
mod connect;
mod context;
pub mod entry;
mod heartbeat;
pub mod intake;
pub(crate) mod job_header;
mod lease;
pub mod outage;
mod progress;
pub mod queue;
mod queue_poller;
mod reaper;
pub mod redis_client;
mod registration;
mod shutdown;
mod spawn_backoff;
mod spool;
mod status;
mod submit;
mod supervisor;

use backend::Backend;
use claim::Holder;
use connect::wait_for_redis;
use context::WorkerContext;
use heartbeat::{HeartbeatLoop, send_final_heartbeat};
use lease::Leases;
use outage::Outage;
use queue::Queue;
use queue_poller::QueuePoller;
use redis_client::{RESPONSE_TIMEOUT, RedisClient};
use registration::Registration;
use shutdown::{ShutdownPhase, reached};
use spawn_backoff::SpawnBackoff;
use spool::ResultSpool;
use status::WorkerStatus;

/// Runs until a signal ends the worker.
///
/// # Errors
/// The worker cannot start. Once it runs, it survives every outage of Redis and of the backend.
pub async fn run(config: Config, catalog: Arc<Catalog>) -> anyhow::Result<()> {
    let registration = Registration::from_process(&config);
    let backend = Arc::new(Backend::new(&config.backend)?);
    let (worker, poller) = set_up(config, catalog, &registration.worker_id)?;
    let worker = Arc::new(worker);
    log_warnings(&worker);
    let announcements = tokio::spawn(log::run(worker.catalog.subscribe()));
    let heartbeats = HeartbeatLoop {
        backend: Arc::clone(&backend),
        registration,
        status: worker.status.clone(),
        plugins: worker.catalog.subscribe(),
        shutdown: worker.shutdown.clone(),
    };
    let heartbeats = tokio::spawn(heartbeats.run());
    if wait_for_redis(&worker).await {
        let reaper = tokio::spawn(reaper::run(Arc::clone(&worker)));
        submit_spooled(&worker);
        run_jobs(&worker, poller).await;
        reaper.abort();
    }
    heartbeats.abort();
    announcements.abort();
    send_final_heartbeat(&backend, &worker.worker_id, &worker.status).await;
    tracing::info!("worker ended");
    Ok(())
}

fn set_up(config: Config, catalog: Arc<Catalog>, worker_id: &str) -> anyhow::Result<(WorkerContext, QueuePoller)> {
    let client = redis_client::open(&config.redis).with_context(|| format!("invalid Redis URL {}", config.redis))?;
    let outage = Outage::new(&format!("Redis at {}", config.redis));
    let redis = Arc::new(RedisClient::new(client.clone(), RESPONSE_TIMEOUT, outage.clone()));
    let waiting = RedisClient::new(client.clone(), RESPONSE_TIMEOUT + Duration::from_secs(2), outage.clone());
    let holder = Holder::new(worker_id).context("the system has no random source for the boot id")?;
    let queue = |list: &String| Queue::new(list, &holder, &config.queue, Arc::clone(&redis));
    let queues: Vec<Queue> = config.queue.names.iter().map(queue).collect();
    let poller = QueuePoller::new(queues.clone(), waiting);
    let leases =
        Leases::start(client, config.queue.lease, outage).context("the thread that renews leases cannot be started")?;
    let spool = ResultSpool::within(&config.jobs.artifacts_dir, &config.redis.to_string());
    let worker = WorkerContext {
        worker_id: holder.worker_id,
        config,
        catalog,
        queues,
        redis,
        leases,
        status: WorkerStatus::new(),
        spool,
        spawn_backoff: SpawnBackoff::default(),
        shutdown: shutdown::listen().context("no signal handler can be installed")?,
    };
    Ok((worker, poller))
}

fn log_warnings(worker: &WorkerContext) {
    for warning in &worker.config.warnings {
        tracing::warn!("{warning}");
    }
    if worker.catalog.current().plugins().is_empty() {
        let folder = worker.catalog.folder().display();
        tracing::warn!(
            "no plugin in {folder}: jobs will be refused; `cargo xtask plugins` builds the plugins of this project"
        );
    }
}

/// Submits the results that an earlier worker on this machine could not.
fn submit_spooled(worker: &Arc<WorkerContext>) {
    for result in worker.spool.stored() {
        let Some(queue) = worker.queues.iter().find(|queue| queue.name() == result.queue).cloned() else { continue };
        tracing::info!(job = result.id, "submitting a result that an earlier worker could not");
        let worker = Arc::clone(worker);
        tokio::spawn(async move { submit::submit(&worker, &queue, &result).await });
    }
}

/// Fetches a job whenever a slot is free, until the worker drains; then waits for the running jobs.
async fn run_jobs(worker: &Arc<WorkerContext>, mut poller: QueuePoller) {
    let slots = Arc::new(Semaphore::new(worker.config.jobs.concurrency));
    let mut running = JoinSet::new();
    let mut shutdown = worker.shutdown.clone();
    worker.status.set_shutdown_phase(ShutdownPhase::Running);
    log_ready(worker);
    while *shutdown.borrow() == ShutdownPhase::Running {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = reached(&mut shutdown, ShutdownPhase::Draining) => break,
        };
        match poller.fetch().await {
            Some((queue, claim)) => {
                let worker = Arc::clone(worker);
                running.spawn(async move {
                    attempt::run(worker, queue, claim).await;
                    drop(slot);
                });
            }
            None => tokio::select! {
                () = poller.wait() => {}
                () = reached(&mut shutdown, ShutdownPhase::Draining) => break,
            },
        }
        // Frees the finished tasks.
        while running.try_join_next().is_some() {}
    }
    worker.status.set_shutdown_phase(ShutdownPhase::Draining);
    while running.join_next().await.is_some() {}
}

fn log_ready(worker: &WorkerContext) {
    let queues = worker.config.queue.names.join(",");
    let concurrency = worker.config.jobs.concurrency;
    tracing::info!(worker = worker.worker_id, queues, concurrency, "worker ready");
}
