//! Publishes the events of an attempt on the job's progress channel, logs the start of each phase,
//! and updates the worker's status.

use std::sync::Arc;
use std::time::Instant;

use oculus_job::progress::{Event, Phase, Progress, channel};
use tokio::sync::mpsc;

use super::event::EventStamper;
use super::pace::EventPacer;
use crate::eta::tenths;
use crate::worker::lease::Freshness;
use crate::worker::redis_client::RedisClient;
use crate::worker::status::WorkerStatus;

/// The time for which Redis keeps the last event of a job. The scripts use the same value.
const EVENT_TTL_SECONDS: u64 = 3600;

/// Publishes the events of one attempt.
pub(crate) struct ProgressPublisher {
    /// The pacer, which decides which events are sent, and when.
    pub pacer: EventPacer,
    /// The view of the lease that shows whether the attempt may still publish.
    pub freshness: Freshness,
    /// The client that sends the events.
    pub redis: Arc<RedisClient>,
    /// The status from which heartbeats read the progress.
    pub status: WorkerStatus,
}

impl ProgressPublisher {
    /// Publishes the reported progress until the sender is dropped. Returns the stamper, which the
    /// caller needs for the final event.
    pub(crate) async fn run(mut self, mut reports: mpsc::UnboundedReceiver<Progress>) -> EventStamper {
        loop {
            let pending_until = self.pacer.pending_until();
            tokio::select! {
                progress = reports.recv() => match progress {
                    Some(progress) => self.offer(progress),
                    None => break,
                },
                () = sleep_until(pending_until) => {}
            }
            // All reports that arrived while Redis was slow are read before an event is sent, so
            // that they merge into the latest one.
            while let Ok(progress) = reports.try_recv() {
                self.offer(progress);
            }
            self.send_due().await;
        }
        self.pacer.release_pending();
        self.send_due().await;
        self.pacer.into_stamper()
    }

    /// Adds progress to the pacer and to the worker's status.
    fn offer(&mut self, progress: Progress) {
        let phase = progress.phase;
        let is_new = self.pacer.phase() != Some(phase);
        self.pacer.offer(progress, Instant::now());
        let stamper = self.pacer.stamper();
        // The line `job started` covers the first phase, in which the job process starts.
        if is_new && phase != Phase::Queued {
            let elapsed_s = tenths(stamper.started().elapsed().as_secs_f64());
            tracing::info!(job = stamper.job_id(), phase = phase.name(), elapsed_s, "phase started");
        }
        self.status.set_progress(stamper.job_id(), phase, stamper.percent());
    }

    /// Sends the events that are due.
    async fn send_due(&mut self) {
        for event in self.pacer.take_due(Instant::now()) {
            // Another worker may hold the lease by now, and the events of two workers must not be
            // mixed. Events that are lost in an outage are not sent again; the client logs the
            // outage.
            if self.freshness.is_fresh() && self.send(&event).await.is_err() {
                break;
            }
        }
    }

    /// Stores and publishes one event.
    async fn send(&self, event: &Event) -> redis::RedisResult<()> {
        let channel = channel(&event.job_id);
        let text = event.to_json();
        // The event is stored before it is published. A subscriber that reads the key after the
        // event thus never gets an older one.
        let mut commands = redis::pipe();
        commands.cmd("SET").arg(&channel).arg(&text).arg("EX").arg(EVENT_TTL_SECONDS).ignore();
        commands.cmd("PUBLISH").arg(&channel).arg(&text).ignore();
        self.redis.query_all("progress", &commands).await
    }
}

/// Sleeps until `time`, or forever if it is `None`.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
