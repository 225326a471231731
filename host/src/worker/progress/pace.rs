//! Decides which events are sent, and when: at most five per second, but every first and last event
//! of a phase.

use std::time::{Duration, Instant};

use oculus_job::progress::{Event, Phase, Progress, Status};

use super::event::EventStamper;

/// The shortest time between two events of one phase.
const INTERVAL: Duration = Duration::from_millis(200);

/// Paces the events of one attempt.
pub(crate) struct EventPacer {
    stamper: EventStamper,
    phase: Option<Phase>,
    /// When events were sent last.
    sent: Option<Instant>,
    due: Vec<Event>,
    /// The latest event of a phase that came too soon after the one before it.
    held: Option<Event>,
}

impl EventPacer {
    /// Paces the events that `stamper` makes.
    pub(crate) fn new(stamper: EventStamper) -> Self {
        Self { stamper, phase: None, sent: None, due: Vec::new(), held: None }
    }

    /// Returns the stamper, for the last event of the attempt.
    pub(crate) fn into_stamper(self) -> EventStamper {
        self.stamper
    }

    /// Returns the stamper of the events.
    pub(crate) fn stamper(&self) -> &EventStamper {
        &self.stamper
    }

    /// Adds what the job reports.
    pub(crate) fn offer(&mut self, progress: Progress, now: Instant) {
        let opens_phase = self.phase != Some(progress.phase);
        let ends_phase = progress.status != Status::InProgress;
        self.phase = Some(progress.phase);
        let event = self.stamper.stamp(progress, now);
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

    /// Returns the events to send now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Event> {
        if self.held_until().is_some_and(|time| time <= now) {
            self.release_held();
        }
        if !self.due.is_empty() {
            self.sent = Some(now);
        }
        std::mem::take(&mut self.due)
    }

    /// Makes the held event due: it is the last of its phase.
    pub(crate) fn release_held(&mut self) {
        self.due.extend(self.held.take());
    }

    /// Returns when [`EventPacer::take_due`] has an event next; `None` if only a new offer changes
    /// that.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|_| self.sent.map_or(self.stamper.started(), |sent| sent + INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pacer(started: Instant) -> EventPacer {
        EventPacer::new(EventStamper::new("job", started))
    }

    fn progress(phase: Phase, status: Status, percent: f64) -> Progress {
        let details = serde_json::Map::from_iter([("percent".to_owned(), percent.into())]);
        Progress { phase, status, details }
    }

    #[test]
    fn first_and_last_of_a_phase_always_go_out_and_the_rest_five_a_second() {
        let started = Instant::now();
        let mut pacer = pacer(started);
        let mut sent = Vec::new();
        for step in 0..100 {
            let now = started + Duration::from_millis(step * 10);
            let phase = if step < 50 { Phase::ConfigSearch } else { Phase::Training };
            pacer.offer(progress(phase, Status::InProgress, step as f64), now);
            sent.extend(pacer.take_due(now).into_iter().map(|event| (step, event.details["percent"].as_f64())));
        }
        let times: Vec<u64> = sent.iter().map(|(step, _)| *step).collect();
        assert_eq!(times, [0, 20, 40, 50, 50, 70, 90], "at 50 the held last of one phase and the first of the next");
        assert_eq!(sent[3].1, Some(49.0));
        assert_eq!(sent[4].1, Some(50.0));
    }

    proptest! {
        #[test]
        fn percent_never_falls(reported in proptest::collection::vec(any::<f64>(), 1..50)) {
            let mut pacer = pacer(Instant::now());
            let mut before = 0.0;
            for percent in reported {
                pacer.offer(progress(Phase::Training, Status::Completed, percent), Instant::now());
                for event in pacer.take_due(Instant::now()) {
                    let now = event.details["percent"].as_f64().unwrap_or(-1.0);
                    prop_assert!(now >= before && now <= 100.0);
                    before = now;
                }
            }
        }
    }
}
