//! From what a job process says to what the backend hears: paced, stamped, never falling back.
//!
//! In: [`Progress`] as it comes. Out: [`Event`]s on the job's channel, at most five a second but for the first and the
//! last of each phase. Invariant: `percent` never falls within an attempt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::cmd;
use tokio::sync::mpsc;

use super::heartbeat::WorkerStatus;
use super::lease::Freshness;
use super::redis_client::RedisClient;
use oculus_job::progress::{Event, Phase, Progress, Status, channel};

const PACE: Duration = Duration::from_millis(200);

/// Decides which events go out, and when.
pub struct EventPacer {
    job_id: String,
    started: Instant,
    percent: f64,
    phase: Option<Phase>,
    sent: Option<Instant>,
    due: Vec<Event>,
    held: Option<Event>,
}

impl EventPacer {
    /// For an attempt that starts at this moment.
    pub fn new(job_id: &str, started: Instant) -> Self {
        Self { job_id: job_id.to_owned(), started, percent: 0.0, phase: None, sent: None, due: Vec::new(), held: None }
    }

    /// Takes what the job says.
    pub fn offer(&mut self, progress: Progress, now: Instant) {
        let opens_phase = self.phase != Some(progress.phase);
        let ends_phase = progress.status != Status::InProgress;
        self.phase = Some(progress.phase);
        let event = self.stamp(progress, now);
        if opens_phase {
            self.release_held();
        }
        if opens_phase || ends_phase {
            self.held = None;
            self.due.push(event);
        } else {
            self.held = Some(event);
        }
    }

    /// What is to be sent now.
    pub fn take_due(&mut self, now: Instant) -> Vec<Event> {
        if self.held_until().is_some_and(|time| time <= now) {
            self.due.extend(self.held.take());
        }
        if !self.due.is_empty() {
            self.sent = Some(now);
        }
        std::mem::take(&mut self.due)
    }

    /// What is held back turns out to be the last of its phase, and is due.
    pub fn release_held(&mut self) {
        self.due.extend(self.held.take());
    }

    /// When [`EventPacer::take_due`] has something next; `None` when only a new offer changes that.
    pub fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|_| self.sent.map_or(self.started, |sent| sent + PACE))
    }

    /// The last event of the attempt.
    pub fn last(&mut self, phase: Phase, status: Status, message: &str, now: Instant) -> Event {
        let mut details = serde_json::Map::new();
        if phase == Phase::Complete {
            details.insert("percent".to_owned(), 100.into());
        }
        self.stamp(Progress { phase, status, details }, now).with_message(message)
    }

    /// How far the attempt has come, in percent.
    pub fn percent(&self) -> f64 {
        self.percent
    }

    fn stamp(&mut self, progress: Progress, now: Instant) -> Event {
        let said = progress.details.get("percent").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        self.percent = self.percent.max(said.clamp(0.0, 100.0));
        let elapsed_s = now.saturating_duration_since(self.started).as_secs_f64();
        let mut event = Event::now(&self.job_id, progress.phase, progress.status);
        event.details = progress.details;
        event.details.insert("percent".to_owned(), self.percent.into());
        event.details.insert("elapsed_s".to_owned(), tenths(elapsed_s).into());
        if self.percent >= 1.0 && progress.status == Status::InProgress {
            // A family under way knows better than the mean of all jobs.
            let of_family = event.details.get("family_eta_s").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            let eta_s = of_family.max(elapsed_s * (100.0 / self.percent - 1.0));
            event.details.insert("eta_s".to_owned(), tenths(eta_s).into());
        }
        event
    }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

/// Publishes the events of one attempt until the sender is dropped, and hands the pace back for the last one.
pub async fn publish(
    mut pace: EventPacer,
    mut said: mpsc::UnboundedReceiver<Progress>,
    freshness: Freshness,
    (link, board): (Arc<RedisClient>, WorkerStatus),
) -> EventPacer {
    loop {
        let held_until = pace.held_until();
        let first = tokio::select! {
            progress = said.recv() => match progress {
                Some(progress) => Some(progress),
                None => {
                    pace.release_held();
                    send_due(&mut pace, &freshness, &link).await;
                    return pace;
                }
            },
            () = sleep_until(held_until) => None,
        };
        // Whatever has queued up while Redis was slow is merged before anything is sent.
        let rest = std::iter::from_fn(|| said.try_recv().ok());
        for progress in first.into_iter().chain(rest) {
            let phase = progress.phase;
            pace.offer(progress, Instant::now());
            board.progress(&pace.job_id, phase, pace.percent());
        }
        send_due(&mut pace, &freshness, &link).await;
    }
}

async fn send_due(pace: &mut EventPacer, freshness: &Freshness, link: &RedisClient) {
    for event in pace.take_due(Instant::now()) {
        // A job that may be in other hands by now says nothing; Redis being away is said by its link.
        if freshness.is_fresh() && send(link, &event).await.is_err() {
            break;
        }
    }
}

async fn send(link: &RedisClient, event: &Event) -> redis::RedisResult<()> {
    let (channel, text) = (channel(&event.job_id), event.to_json());
    link.query::<()>("progress", cmd("SET").arg(&channel).arg(&text).arg("EX").arg(3600)).await?;
    link.query::<()>("publish", cmd("PUBLISH").arg(&channel).arg(&text)).await
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(phase: Phase, status: Status, percent: f64) -> Progress {
        let details = serde_json::Map::from_iter([("percent".to_owned(), percent.into())]);
        Progress { phase, status, details }
    }

    #[test]
    fn first_and_last_of_a_phase_always_go_out_and_the_rest_five_a_second() {
        let started = Instant::now();
        let mut pace = EventPacer::new("job", started);
        let mut sent = Vec::new();
        for step in 0..100 {
            let now = started + Duration::from_millis(step * 10);
            let phase = if step < 50 { Phase::ConfigSearch } else { Phase::Training };
            pace.offer(said(phase, Status::InProgress, step as f64), now);
            sent.extend(pace.take_due(now).into_iter().map(|event| (step, event.details["percent"].as_f64())));
        }
        let times: Vec<u64> = sent.iter().map(|(step, _)| *step).collect();
        assert_eq!(times, [0, 20, 40, 50, 50, 70, 90], "at 50 the held last of one phase and the first of the next");
        assert_eq!(sent[3].1, Some(49.0));
        assert_eq!(sent[4].1, Some(50.0));
    }

    proptest! {
        #[test]
        fn percent_never_falls(said_percents in proptest::collection::vec(any::<f64>(), 1..50)) {
            let mut pace = EventPacer::new("job", Instant::now());
            let mut before = 0.0;
            for percent in said_percents {
                pace.offer(said(Phase::Training, Status::Completed, percent), Instant::now());
                for event in pace.take_due(Instant::now()) {
                    let now = event.details["percent"].as_f64().unwrap_or(-1.0);
                    prop_assert!(now >= before && now <= 100.0);
                    before = now;
                }
            }
        }
    }
}
