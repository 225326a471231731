//! Turns the progress of a job process into an event: adds the job id, the time, and the seconds
//! since the start.
//!
//! Invariant: `percent` never decreases within an attempt.

use std::time::Instant;

use oculus_job::progress::{Event, Phase, Progress, Status};
use serde_json::{Map, Value};

use crate::eta::tenths;

/// Creates the events of one attempt.
pub(crate) struct EventStamper {
    job_id: String,
    started: Instant,
    percent: f64,
}

impl EventStamper {
    /// Creates the stamper of an attempt that started at the time `started`.
    pub(crate) fn new(job_id: &str, started: Instant) -> Self {
        Self { job_id: job_id.to_owned(), started, percent: 0.0 }
    }

    /// Returns the job's id.
    pub(crate) fn job_id(&self) -> &str {
        &self.job_id
    }

    /// Returns the time at which the attempt started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Returns the progress of the attempt in percent.
    pub(crate) fn percent(&self) -> f64 {
        self.percent
    }

    /// Returns the event for progress that the job reports at `now`.
    pub(crate) fn stamp(&mut self, progress: Progress, now: Instant) -> Event {
        let reported = number(&progress.details, "percent").unwrap_or(0.0);
        self.percent = self.percent.max(reported.clamp(0.0, 100.0));
        let elapsed_s = now.saturating_duration_since(self.started).as_secs_f64();
        let mut event = Event::now(&self.job_id, progress.phase, progress.status);
        event.details = progress.details;
        event.details.insert("percent".to_owned(), self.percent.into());
        event.details.insert("elapsed_s".to_owned(), tenths(elapsed_s).into());
        event
    }

    /// Returns the final event of the attempt.
    pub(crate) fn last(&mut self, phase: Phase, status: Status, message: &str) -> Event {
        let mut details = Map::new();
        if phase == Phase::Complete {
            details.insert("percent".to_owned(), 100.into());
        }
        self.stamp(Progress { phase, status, details }, Instant::now()).with_message(message)
    }
}

/// Returns a field of the details that is a number.
fn number(details: &Map<String, Value>, field: &str) -> Option<f64> {
    details.get(field).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_has_the_percentage_and_the_eta_of_the_job_and_the_elapsed_time() {
        let started = Instant::now();
        let mut stamper = EventStamper::new("job", started);
        let details = Map::from_iter([("percent".to_owned(), 25.into()), ("eta_s".to_owned(), 30.into())]);
        let progress = Progress { phase: Phase::Training, status: Status::InProgress, details };
        let running = stamper.stamp(progress, started + Duration::from_secs(10)).details;
        let numbers = ["percent", "elapsed_s", "eta_s"].map(|field| number(&running, field));
        assert_eq!(numbers, [Some(25.0), Some(10.0), Some(30.0)]);
    }
}
