//! From what a plugin tells of one call to news of it, at a pace that floods nobody.
//!
//! In: a call's [`Event`]s as they come. Out: [`FitNews`], at most ten a second and with the time left. A metric is kept
//! until the progress that follows it tells both.

use std::time::{Duration, Instant};

use crate::protocol::Event;
use oculus_pipeline::fitter::FitNews;

/// Between two pieces of news.
const PACE: Duration = Duration::from_millis(100);

/// One call's news.
#[derive(Debug)]
pub struct Telling {
    started: Instant,
    told: Option<Instant>,
    news: FitNews,
    is_untold: bool,
}

impl Telling {
    /// Of a call that starts at this moment.
    pub fn new(started: Instant) -> Self {
        Self { started, told: None, news: FitNews::default(), is_untold: false }
    }

    /// Takes an event, and says what is to be told now.
    pub fn hear(&mut self, event: &Event, now: Instant) -> Option<&FitNews> {
        match event {
            Event::Metric { name, step, value, .. } => {
                self.figure(name, *step, *value);
                None
            }
            Event::Progress { fraction, .. } => {
                self.come_on(*fraction, now);
                let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= PACE);
                is_due.then(|| {
                    (self.told, self.is_untold) = (Some(now), false);
                    &self.news
                })
            }
            Event::Log { .. }
            | Event::Reply { .. }
            | Event::Examining { .. }
            | Event::Found { .. }
            | Event::Unusable { .. } => None,
        }
    }

    /// What the pace held back, once the call has ended: the last epoch of a fit, however short.
    pub fn untold(&self) -> Option<&FitNews> {
        self.is_untold.then_some(&self.news)
    }

    fn figure(&mut self, name: &str, step: u64, value: f64) {
        let value = value.is_finite().then_some(value);
        match name {
            "loss" => self.news.loss = value,
            "tune_loss" => self.news.tune_loss = value,
            _ => return,
        }
        self.news.epoch = Some(step);
    }

    fn come_on(&mut self, fraction: f64, now: Instant) {
        // A NaN counts as nothing done.
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let elapsed_s = now.saturating_duration_since(self.started).as_secs_f64();
        self.is_untold = true;
        self.news.fraction = fraction;
        self.news.eta_s = (fraction > 0.0).then(|| elapsed_s * (1.0 - fraction) / fraction);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn metric(name: &str, step: u64, value: f64) -> Event {
        Event::Metric { id: 0, name: name.to_owned(), step, value }
    }

    fn progress(fraction: f64) -> Event {
        Event::Progress { id: 0, fraction, message: String::new() }
    }

    #[test]
    fn an_epoch_is_told_with_its_losses_and_the_time_left() {
        let started = Instant::now();
        let mut telling = Telling::new(started);
        assert_eq!(telling.hear(&metric("loss", 3, 0.5), started), None);
        assert_eq!(telling.hear(&metric("tune_loss", 3, 0.75), started), None);
        assert_eq!(telling.hear(&metric("gradient", 4, 9.0), started), None, "not everybody's figure");
        let news = telling.hear(&progress(0.25), started + Duration::from_secs(2)).unwrap();
        let needed =
            FitNews { fraction: 0.25, epoch: Some(3), loss: Some(0.5), tune_loss: Some(0.75), ..FitNews::default() };
        assert_eq!(*news, FitNews { eta_s: Some(6.0), ..needed });
    }

    #[test]
    fn a_plugin_that_tells_a_thousand_times_a_second_is_heard_ten_times() {
        let started = Instant::now();
        let mut telling = Telling::new(started);
        let told = (0..1000)
            .filter(|&ms| telling.hear(&progress(ms as f64 / 1e3), started + Duration::from_millis(ms)).is_some());
        assert_eq!(told.count(), 10);
    }

    #[test]
    fn figures_that_are_no_numbers_are_not_told() {
        let started = Instant::now();
        let mut telling = Telling::new(started);
        telling.hear(&metric("loss", 1, f64::NAN), started);
        let news = telling.hear(&progress(f64::NAN), started).unwrap();
        assert_eq!((news.epoch, news.loss, news.fraction, news.eta_s), (Some(1), None, 0.0, None));
    }
}
