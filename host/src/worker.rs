//! The worker: fetches jobs from Redis, runs each one in a separate process, and submits the
//! results.
//!
//! In: entries of the queues, and signals. Out: results, progress and heartbeats. Invariant: after
//! any crash, every job is in the queue, under a lease, or finished. This process loads no plugin.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oculus_plugin_host::catalog::{Catalog, log};

use crate::config::Config;

mod adoption;
mod attempt;
mod attempt_outcome;
mod backend;
mod child;
pub mod claim;
pub mod claim_outcome;
mod connect;
mod context;
pub mod entry;
mod fetch_loop;
mod heartbeat;
pub mod intake;
pub(crate) mod job_header;
mod lease;
mod ledger;
mod moment;
pub mod operations;
pub mod outage;
mod presence;
mod progress;
pub mod queue;
mod queue_poller;
mod reaper;
pub mod redis_client;
mod registration;
mod reload;
pub mod server_id;
mod shutdown;
mod sleep_inhibitor;
mod slots;
mod spawn_backoff;
mod spool;
mod status;
mod submit;
mod supervisor;

use backend::Backend;
use claim::Holder;
use connect::wait_for_redis;
use context::WorkerContext;
pub use fetch_loop::ExitCondition;
use fetch_loop::FetchLoop;
use heartbeat::{HeartbeatLoop, send_final_heartbeat};
use lease::Leases;
use outage::Outage;
use queue::Queue;
use queue_poller::{LONGEST_WAIT, QueuePoller};
use redis_client::{Connector, RedisClient};
pub(crate) use registration::Registration;
pub use reload::ReloadSource;
use shutdown::ShutdownPhase;
use sleep_inhibitor::SleepInhibitor;
use slots::Slots;
use spawn_backoff::SpawnBackoff;
use spool::ResultSpool;
pub(crate) use status::Heartbeat;
use status::WorkerStatus;

/// The time within which Redis must respond after a blocking command has ended. It is short, so that
/// an idle worker soon notices that the server is gone.
const WAIT_MARGIN: Duration = Duration::from_secs(3);

/// Runs the worker until a signal stops it or its exit condition holds.
///
/// # Errors
/// Returns an error if the worker cannot start. Once it runs, it survives every outage of Redis and
/// of the backend.
pub async fn run(
    config: Config,
    catalog: Arc<Catalog>,
    reload: ReloadSource,
    exit: ExitCondition,
) -> anyhow::Result<()> {
    let hangups = reload::listen().context("cannot install the handler of SIGHUP")?;
    let registration = Registration::from_process(&config);
    let backend = Arc::new(Backend::new(&config.backend)?);
    let (worker, poller) = set_up(config, catalog, &registration.worker_id)?;
    let worker = Arc::new(worker);
    log_warnings(&worker);
    let reloads = tokio::spawn(reload::run(Arc::clone(&worker), hangups, reload));
    let announcements = tokio::spawn(log::run(worker.catalog.subscribe()));
    let heartbeats = HeartbeatLoop {
        backend: Arc::clone(&backend),
        registration: registration.clone(),
        status: worker.status.clone(),
        plugins: worker.catalog.subscribe(),
        slots: worker.slots.limits(),
        shutdown: worker.shutdown.clone(),
    };
    // The heartbeats start before Redis is available, so the backend shows this worker as
    // `starting`.
    let heartbeats = tokio::spawn(heartbeats.run());
    let found = wait_for_redis(&worker).await;
    if let Ok(true) = found {
        let reaper = tokio::spawn(reaper::run(Arc::clone(&worker)));
        let presence = tokio::spawn(presence::run(Arc::clone(&worker), registration));
        submit_spooled(&worker);
        worker.status.set_shutdown_phase(ShutdownPhase::Running);
        log_ready(&worker);
        FetchLoop::new(Arc::clone(&worker), poller, exit).run().await;
        reaper.abort();
        // A report after the removal would show a worker that has stopped.
        presence.abort();
        let _ = presence.await;
        presence::remove(&worker).await;
    }
    // The loop is aborted first, so that no periodic heartbeat with an older state follows the
    // final one.
    heartbeats.abort();
    announcements.abort();
    reloads.abort();
    send_final_heartbeat(&backend, &worker.worker_id, &worker.status).await;
    tracing::info!(worker = worker.worker_id, "worker stopped");
    found.map(drop).with_context(|| format!("Redis at {} cannot be used", worker.config.redis))
}

/// Creates the parts of the worker that its tasks share, and the poller of its queues.
fn set_up(config: Config, catalog: Arc<Catalog>, worker_id: &str) -> anyhow::Result<(WorkerContext, QueuePoller)> {
    let connector = Connector::new(config.redis.clone());
    let response_timeout = connector.response_timeout();
    let outage = Outage::new(&format!("Redis at {}", config.redis));
    let redis = Arc::new(RedisClient::new(Arc::clone(&connector), response_timeout, outage.clone()));
    // A blocking command delays every later command on its connection, so blocking commands have a
    // separate connection. The time limit of that connection is longer by the time for which a
    // command may block.
    let blocking_client =
        RedisClient::new(Arc::clone(&connector), LONGEST_WAIT + response_timeout.min(WAIT_MARGIN), outage.clone());
    let replicated = Arc::new(RedisClient::new(Arc::clone(&connector), response_timeout, outage.clone()));
    let holder =
        Holder::new(worker_id).context("cannot generate the worker's boot id from the system's random source")?;
    let queue = |list: &String| {
        let queue = Queue::new(list, &holder, &config.queue, Arc::clone(&redis));
        match config.queue.wait_replicas {
            0 => queue,
            _ => queue.with_replicated_results(Arc::clone(&replicated)),
        }
    };
    let queues: Vec<Queue> = config.queue.names.iter().map(queue).collect();
    let poller = QueuePoller::new(queues.clone(), blocking_client);
    let lease_client = RedisClient::new(connector, response_timeout, outage);
    let leases =
        Leases::start(lease_client, config.queue.lease).context("cannot start the thread that renews leases")?;
    let spool = ResultSpool::within(&config.jobs.artifacts_dir, &config.redis.to_string());
    let (shutdown, drain_requests) =
        shutdown::listen(config.drain_limit).context("cannot install the handlers of SIGTERM and SIGINT")?;
    let worker = WorkerContext {
        worker_id: holder.worker_id,
        boot: holder.boot,
        sleep_inhibitor: SleepInhibitor::new(config.jobs.holds_off_sleep),
        slots: Slots::new(config.jobs.concurrency),
        config,
        catalog,
        queues,
        redis,
        leases,
        status: WorkerStatus::new(),
        spool,
        spawn_backoff: SpawnBackoff::default(),
        shutdown,
        drain_requests,
    };
    Ok((worker, poller))
}

/// Logs the problems that do not prevent a start.
fn log_warnings(worker: &WorkerContext) {
    for warning in &worker.config.warnings {
        tracing::warn!("{warning}");
    }
    if worker.catalog.current().plugins().is_empty() {
        let folder = worker.catalog.folder().display();
        tracing::warn!(
            "no plugin in {folder}: jobs are refused until one is published there; `cargo xtask plugins` builds the \
             plugins of this project"
        );
    }
}

/// Submits the results that an earlier worker on this machine left in the spool.
fn submit_spooled(worker: &Arc<WorkerContext>) {
    for result in worker.spool.stored() {
        // If the queue of a result is no longer configured, the result stays on disk for a worker
        // that has this queue.
        let Some(queue) = worker.queues.iter().find(|queue| queue.name() == result.queue).cloned() else { continue };
        let token = result.claim.token;
        tracing::info!(job = result.id, token, queue = result.queue, "submitting a result from the spool");
        let worker = Arc::clone(worker);
        tokio::spawn(async move { submit::submit(&worker, &queue, result).await });
    }
}

fn log_ready(worker: &WorkerContext) {
    let queues = worker.config.queue.names.join(",");
    let concurrency = worker.slots.limit();
    tracing::info!(worker = worker.worker_id, queues, concurrency, "worker ready");
}
