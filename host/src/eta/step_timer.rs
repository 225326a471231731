//! The time of one step of a job: its forecast, and its progress so far.

use std::time::{Duration, Instant};

use oculus_pipeline::fitter::FoldShares;
use oculus_pipeline::work::{PlannedStep, Step, StepKind};

use super::history::{Measurement, SpeedHistory};

/// The largest share of a running step that is taken as done. The share at which early stopping
/// ends a fit varies, so a fit that passes its expected end still needs some time.
const MAX_RUNNING_SHARE: f64 = 0.95;

/// Seconds of a step whose work was never measured on any machine.
const UNKNOWN_STEP_S: f64 = 1.0;

/// The state of one step.
#[derive(Clone, Debug)]
pub(super) struct StepTimer {
    planned: PlannedStep,
    /// Forecast of the seconds of the whole step.
    pub(super) forecast_s: f64,
    /// True if the forecast is based on measurements of this machine.
    pub(super) is_measured: bool,
    /// Expected share at which a fit ends; less than 1 if fits stop early.
    end_share: f64,
    /// Largest reported share below 1.
    share: f64,
    folds: FoldShares,
    started: Option<Instant>,
    /// Time of the first report of progress, with the share of the forecast that was done then.
    first_progress: Option<(Instant, f64)>,
    /// Time of the latest report.
    reported: Option<Instant>,
    ended: Option<Instant>,
}

impl StepTimer {
    /// Returns the timer of a step that has not started.
    pub(super) fn new(planned: PlannedStep, history: &SpeedHistory, initial: &SpeedHistory) -> Self {
        let Step { kind, plugin } = &planned.step;
        let work = work_name(&planned.step);
        let measured = history.forecast(&work, planned.units);
        // A family that no machine has measured yet is treated like the mean family.
        let of_kind = || initial.forecast(kind.name(), planned.units).filter(|_| !plugin.is_empty());
        let forecast_s =
            measured.or_else(|| initial.forecast(&work, planned.units)).or_else(of_kind).unwrap_or(UNKNOWN_STEP_S);
        let end_work = end_share_name(&planned.step);
        let end_share = history.forecast(&end_work, 1.0).or_else(|| initial.forecast(&end_work, 1.0)).unwrap_or(1.0);
        Self {
            planned,
            forecast_s,
            is_measured: measured.is_some(),
            end_share: end_share.clamp(0.01, 1.0),
            share: 0.0,
            folds: FoldShares::default(),
            started: None,
            first_progress: None,
            reported: None,
            ended: None,
        }
    }

    /// Returns the step.
    pub(super) fn step(&self) -> &Step {
        &self.planned.step
    }

    /// Returns the number of steps that run in parallel.
    pub(super) fn n_parallel(&self) -> usize {
        self.planned.n_parallel.max(1)
    }

    /// Records progress at the time `now`.
    ///
    /// * `fraction`: the share of the step that is done.
    /// * `folds`: details of the fraction, if the step consists of several fits.
    pub(super) fn report(&mut self, fraction: f64, folds: FoldShares, now: Instant) {
        self.started.get_or_insert(now);
        self.reported = Some(now);
        // A family may report the end of its preparation before its fit, so the end can be undone.
        self.ended = (fraction >= 1.0).then_some(now);
        // A step may report its end without details.
        if folds.certain > 0.0 {
            self.folds = folds;
        }
        if fraction < 1.0 {
            // A fit starts at 0 again if its plugin process was restarted.
            self.share = self.share.max(fraction);
        }
        if fraction > 0.0 && self.first_progress.is_none() {
            self.first_progress = Some((now, self.done_share()));
        }
    }

    /// Ends the step, if it has started.
    pub(super) fn end(&mut self, now: Instant) {
        if self.started.is_some() {
            self.ended.get_or_insert(now);
        }
    }

    /// Returns whether the step has started.
    pub(super) fn has_started(&self) -> bool {
        self.started.is_some()
    }

    /// Returns whether the step has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Returns the seconds that the step needed up to its latest report.
    pub(super) fn elapsed_s(&self) -> f64 {
        let last = self.ended.or(self.reported);
        self.started.zip(last).map_or(0.0, |(started, last)| seconds(last - started))
    }

    /// Returns the measured seconds of the step so far, and the share of the forecast that was done in
    /// them. While the step runs, both count from its first progress: before it, a plugin starts and
    /// prepares its data, which shows nothing about the speed of the rest.
    pub(super) fn pace(&self) -> (f64, f64) {
        let last = self.reported.filter(|_| !self.has_ended());
        match self.first_progress.zip(last) {
            Some(((first, share), last)) => (seconds(last - first), self.done_share() - share),
            None => (self.elapsed_s(), self.done_share()),
        }
    }

    /// Returns the share of the forecast that was done at the latest report.
    pub(super) fn done_share(&self) -> f64 {
        if self.has_ended() {
            return 1.0;
        }
        let FoldShares { certain, .. } = self.folds;
        let running = (self.share - certain).max(0.0) / self.end_share;
        (certain + running.min(MAX_RUNNING_SHARE * (1.0 - certain))).min(MAX_RUNNING_SHARE)
    }

    /// Returns the seconds that the step still needs.
    ///
    /// * `ratio`: measured seconds of this step divided by their forecast.
    pub(super) fn remaining_s(&self, ratio: f64, now: Instant) -> f64 {
        let at_report = self.forecast_s * (1.0 - self.done_share()) * ratio;
        let since = self.reported.map_or(0.0, |reported| seconds(now.saturating_duration_since(reported)));
        // A report that is late does not mean that nothing is left.
        (at_report - since).max(at_report * (1.0 - MAX_RUNNING_SHARE))
    }

    /// Returns the measurements of a step that has ended.
    pub(super) fn measurements(&self) -> Vec<Measurement> {
        if !self.has_ended() {
            return Vec::new();
        }
        let PlannedStep { step, units, .. } = &self.planned;
        let time = Measurement { work: work_name(step), units: *units, amount: self.elapsed_s() };
        let FoldShares { stopped, reported, .. } = self.folds;
        // Only the fits on the folds stop early.
        let stops = step.kind == StepKind::Folds && reported > 0.0;
        let end = stops.then(|| Measurement { work: end_share_name(step), units: 1.0, amount: reported / stopped });
        [time].into_iter().chain(end).collect()
    }
}

fn work_name(step: &Step) -> String {
    let Step { kind, plugin } = step;
    if plugin.is_empty() { kind.name().to_owned() } else { format!("{}/{plugin}", kind.name()) }
}

fn end_share_name(step: &Step) -> String {
    format!("end of {}", work_name(step))
}

/// Returns a duration in seconds.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
