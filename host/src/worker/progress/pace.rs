//! Decides which events are sent, and when. At most five events per second are sent, in addition to
//! the first and the last event of each phase.

use std::time::{Duration, Instant};

use oculus_job::progress::{Event, Phase, Progress, Status};

use super::event::EventStamper;

/// The shortest time between two events of one phase.
const INTERVAL: Duration = Duration::from_millis(200);

/// Paces the events of one attempt.
pub(crate) struct EventPacer {
    stamper: EventStamper,
    phase: Option<Phase>,
    /// The time at which events were last sent.
    sent: Option<Instant>,
    /// The events to send at the next call of [`EventPacer::take_due`].
    due: Vec<Event>,
    /// The latest event of the phase, if it came too soon after the previous event. A later event
    /// of the same phase replaces it.
    pending: Option<Event>,
}

impl EventPacer {
    /// Creates a pacer of the events that `stamper` creates.
    pub(crate) fn new(stamper: EventStamper) -> Self {
        Self { stamper, phase: None, sent: None, due: Vec::new(), pending: None }
    }

    /// Returns the stamper, which the caller needs for the final event of the attempt.
    pub(crate) fn into_stamper(self) -> EventStamper {
        self.stamper
    }

    /// Returns the phase of the latest progress; `None` before the first.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Returns the stamper of the events.
    pub(crate) fn stamper(&self) -> &EventStamper {
        &self.stamper
    }

    /// Adds progress that the job reports at `now`.
    pub(crate) fn offer(&mut self, progress: Progress, now: Instant) {
        let opens_phase = self.phase != Some(progress.phase);
        let ends_phase = progress.status != Status::InProgress;
        self.phase = Some(progress.phase);
        let event = self.stamper.stamp(progress, now);
        // A new phase shows that the pending event was the last one of the previous phase.
        if opens_phase {
            self.release_pending();
        }
        if opens_phase || ends_phase {
            self.pending = None;
            self.due.push(event);
        } else {
            self.pending = Some(event);
        }
    }

    /// Returns the events to send now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Event> {
        if self.pending_until().is_some_and(|time| time <= now) {
            self.release_pending();
        }
        if !self.due.is_empty() {
            self.sent = Some(now);
        }
        std::mem::take(&mut self.due)
    }

    /// Makes the pending event due, because it is the last one of its phase.
    pub(crate) fn release_pending(&mut self) {
        self.due.extend(self.pending.take());
    }

    /// Returns the time from which [`EventPacer::take_due`] returns the pending event, or `None` if
    /// no event is pending.
    pub(crate) fn pending_until(&self) -> Option<Instant> {
        self.pending.as_ref().map(|_| self.sent.map_or(self.stamper.started(), |sent| sent + INTERVAL))
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
    fn the_first_and_last_events_of_a_phase_are_always_sent_and_others_at_five_per_second() {
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
        assert_eq!(times, [0, 20, 40, 50, 50, 70, 90], "step 50 sends the last event of one phase and the next one");
        assert_eq!(sent[3].1, Some(49.0));
        assert_eq!(sent[4].1, Some(50.0));
    }

    proptest! {
        #[test]
        fn percent_never_decreases(reported in proptest::collection::vec(any::<f64>(), 1..50)) {
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
