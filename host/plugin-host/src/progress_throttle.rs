//! Limits the rate at which the progress of one plugin call is reported.
//!
//! In: the [`Event`]s of a call as they arrive. Out: at most ten [`FitProgress`] values per second,
//! each with the estimated remaining time. A metric is stored until the next progress event.

use std::time::{Duration, Instant};

use oculus_pipeline::fitter::FitProgress;

use crate::protocol::Event;

/// The shortest time between two reports.
const INTERVAL: Duration = Duration::from_millis(100);

/// Limits the progress reports of one call.
#[derive(Debug)]
pub(crate) struct ProgressThrottle {
    started: Instant,
    reported_at: Option<Instant>,
    latest: FitProgress,
    /// True if `latest` contains progress that was not reported.
    has_pending: bool,
}

impl ProgressThrottle {
    /// Creates the throttle of a call that starts at `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self { started, reported_at: None, latest: FitProgress::default(), has_pending: false }
    }

    /// Records an event, and returns the progress if a report is due.
    pub(crate) fn on_event(&mut self, event: &Event, now: Instant) -> Option<&FitProgress> {
        match event {
            Event::Metric { name, step, value, .. } => {
                self.set_metric(name, *step, *value);
                None
            }
            Event::Progress { fraction, .. } => {
                self.set_fraction(*fraction, now);
                let is_due = self.reported_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
                if !is_due {
                    return None;
                }
                self.reported_at = Some(now);
                self.has_pending = false;
                Some(&self.latest)
            }
            Event::Log { .. }
            | Event::Reply { .. }
            | Event::Examining { .. }
            | Event::Found { .. }
            | Event::Unusable { .. } => None,
        }
    }

    /// Returns the progress that was not reported yet. The caller reports it when the call has
    /// finished, so that the last epoch of even the shortest fit is reported.
    pub(crate) fn pending(&self) -> Option<&FitProgress> {
        self.has_pending.then_some(&self.latest)
    }

    fn set_metric(&mut self, name: &str, step: u64, value: f64) {
        // A value that is not finite is omitted, because JSON cannot represent NaN and infinity.
        let value = value.is_finite().then_some(value);
        match name {
            "loss" => self.latest.loss = value,
            "tune_loss" => self.latest.tune_loss = value,
            _ => return,
        }
        self.latest.epoch = Some(step);
    }

    fn set_fraction(&mut self, fraction: f64, now: Instant) {
        // NaN is treated as no progress.
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let elapsed_s = now.saturating_duration_since(self.started).as_secs_f64();
        self.has_pending = true;
        self.latest.fraction = fraction;
        self.latest.eta_s = (fraction > 0.0).then(|| elapsed_s * (1.0 - fraction) / fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, step: u64, value: f64) -> Event {
        Event::Metric { id: 0, name: name.to_owned(), step, value }
    }

    fn progress(fraction: f64) -> Event {
        Event::Progress { id: 0, fraction, message: String::new() }
    }

    #[test]
    fn an_epoch_is_reported_with_its_losses_and_the_time_left() {
        let started = Instant::now();
        let mut throttle = ProgressThrottle::new(started);
        assert_eq!(throttle.on_event(&metric("loss", 3, 0.5), started), None);
        assert_eq!(throttle.on_event(&metric("tune_loss", 3, 0.75), started), None);
        assert_eq!(throttle.on_event(&metric("gradient", 4, 9.0), started), None, "other metrics are not reported");
        let report = throttle.on_event(&progress(0.25), started + Duration::from_secs(2)).unwrap();
        let expected = FitProgress {
            fraction: 0.25,
            epoch: Some(3),
            loss: Some(0.5),
            tune_loss: Some(0.75),
            ..FitProgress::default()
        };
        assert_eq!(*report, FitProgress { eta_s: Some(6.0), ..expected });
    }

    #[test]
    fn a_thousand_events_per_second_become_ten_reports() {
        let started = Instant::now();
        let mut throttle = ProgressThrottle::new(started);
        let reports = (0..1000)
            .filter(|&ms| throttle.on_event(&progress(ms as f64 / 1e3), started + Duration::from_millis(ms)).is_some());
        assert_eq!(reports.count(), 10);
    }

    #[test]
    fn values_that_are_not_numbers_are_not_reported() {
        let started = Instant::now();
        let mut throttle = ProgressThrottle::new(started);
        throttle.on_event(&metric("loss", 1, f64::NAN), started);
        let report = throttle.on_event(&progress(f64::NAN), started).unwrap();
        assert_eq!((report.epoch, report.loss, report.fraction, report.eta_s), (Some(1), None, 0.0, None));
    }
}
