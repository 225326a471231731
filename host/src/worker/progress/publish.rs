//! Publishes the events of an attempt on the job's channel, and updates the worker's status.

use std::sync::Arc;
use std::time::Instant;

use oculus_job::progress::{Event, Progress, channel};
use redis::cmd;
use tokio::sync::mpsc;

use super::event::EventStamper;
use super::pace::EventPacer;
use crate::worker::lease::Freshness;
use crate::worker::redis_client::RedisClient;
use crate::worker::status::WorkerStatus;

/// How long the last event of a job stays readable.
const EVENT_TTL_SECONDS: u64 = 3600;

/// Publishes the events of one attempt.
pub(crate) struct ProgressPublisher {
    /// Which events are sent, and when.
    pub pacer: EventPacer,
    /// Whether the attempt may still publish.
    pub freshness: Freshness,
    /// Where the events go.
    pub redis: Arc<RedisClient>,
    /// Where heartbeats read the progress.
    pub status: WorkerStatus,
}

impl ProgressPublisher {
    /// Publishes what the job reports until the sender is dropped. Returns the stamper, for the
    /// last event.
    pub(crate) async fn run(mut self, mut reports: mpsc::UnboundedReceiver<Progress>) -> EventStamper {
        loop {
            let held_until = self.pacer.held_until();
            tokio::select! {
                progress = reports.recv() => match progress {
                    Some(progress) => self.offer(progress),
                    None => break,
                },
                () = sleep_until(held_until) => {}
            }
            // Reports that came in while Redis was slow are merged before any is sent.
            while let Ok(progress) = reports.try_recv() {
                self.offer(progress);
            }
            self.send_due().await;
        }
        self.pacer.release_held();
        self.send_due().await;
        self.pacer.into_stamper()
    }

    fn offer(&mut self, progress: Progress) {
        let phase = progress.phase;
        self.pacer.offer(progress, Instant::now());
        let stamper = self.pacer.stamper();
        self.status.set_progress(stamper.job_id(), phase, stamper.percent());
    }

    async fn send_due(&mut self) {
        for event in self.pacer.take_due(Instant::now()) {
            // If the lease may have passed to another worker, the attempt publishes nothing. The
            // client logs an outage.
            if self.freshness.is_fresh() && self.send(&event).await.is_err() {
                break;
            }
        }
    }

    async fn send(&self, event: &Event) -> redis::RedisResult<()> {
        let channel = channel(&event.job_id);
        let text = event.to_json();
        self.redis
            .query::<()>("progress", cmd("SET").arg(&channel).arg(&text).arg("EX").arg(EVENT_TTL_SECONDS))
            .await?;
        self.redis.query::<()>("publish", cmd("PUBLISH").arg(&channel).arg(&text)).await
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
