//! Reports this worker to its queues, and receives requests to drain it.
//!
//! In: the worker's status. Out: a report in each queue, and a drain. Invariant: a report that
//! is not renewed expires, so a worker that vanishes is not shown for long.

use std::sync::Arc;
use std::time::Duration;

use super::context::WorkerContext;
use super::operations::drain::DrainRequest;
use super::registration::Registration;
use super::shutdown::ShutdownPhase;

/// The interval of reports, and thus the longest time before a request to drain is read.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// The time for which a report is kept. It is longer than the interval, so that operators see a
/// worker that has stopped reporting.
const REPORT_TTL: Duration = Duration::from_secs(60);

/// The time limit for the removal of the last report. An unavailable Redis must not delay the exit.
const FINAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Reports this worker at intervals, until the task is aborted.
pub(super) async fn run(worker: Arc<WorkerContext>, registration: Registration) {
    let mut phase = worker.shutdown.clone();
    loop {
        let report = report(&worker, &registration).to_string();
        for queue in &worker.queues {
            // The Redis client has logged the error, and the next report follows soon.
            let Ok(Some(request)) = queue.report_presence(&report, REPORT_TTL).await else { continue };
            // Any value of the key is a request.
            let request: DrainRequest = serde_json::from_str(&request).unwrap_or_default();
            // The request stays in Redis while the worker drains.
            if *worker.shutdown.borrow() == ShutdownPhase::Running {
                worker.drain_requests.send(request.by.unwrap_or_else(|| "an unknown operator".to_owned()));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(REPORT_EVERY) => {}
            // Operators see the state `draining` at once.
            Ok(()) = phase.changed() => worker.status.set_shutdown_phase(*phase.borrow_and_update()),
        }
    }
}

/// Removes the report of a worker that stops.
pub(super) async fn remove(worker: &WorkerContext) {
    let remove = async {
        for queue in &worker.queues {
            // If this fails, the report expires.
            let _ = queue.report_presence("", REPORT_TTL).await;
        }
    };
    let _ = tokio::time::timeout(FINAL_TIMEOUT, remove).await;
}

fn report(worker: &WorkerContext, registration: &Registration) -> serde_json::Value {
    let registration = registration.with_plugins(&worker.catalog.current().plugins());
    let registration = registration.with_concurrency(worker.slots.limit());
    serde_json::json!(registration.report(worker.boot, &worker.status))
}
