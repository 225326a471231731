//! Estimates the remaining time of one job.
//!
//! In: the work that the job reports, each report with its time. Out: [`Estimate`]s. Invariant: the
//! percentage of a job never decreases and is below 100 until the job ends.
//!
//! A step's seconds are its units times the seconds per unit that earlier jobs needed. The job
//! itself corrects this forecast three times: by the ratio of measured to forecast seconds of all
//! its steps, of the steps of the same plugin, and of the step itself. Each ratio is drawn towards
//! the one before it, which matters as long as little of the work is done.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use oculus_job::progress::{Progress, Status};
use oculus_pipeline::fitter::FoldShares;
use oculus_pipeline::work::{PlannedStep, Step, StepKind, WorkUpdate};

use super::history::{Measurement, SpeedHistory};
use super::job_shape::JobShape;
use super::step_timer::{StepTimer, seconds};
use super::tenths;

/// Weight of a forecast from earlier jobs of this machine, as a share of the forecast. The measured
/// ratio has the same weight once this share of the work is done.
const WEIGHT_OF_HISTORY: f64 = 0.03;
/// Weight of a forecast from another machine.
const WEIGHT_OF_INITIAL: f64 = 0.02;
/// The largest percentage of a job that has not ended.
const MAX_PERCENT: f64 = 99.0;
/// The percentage at the end of the fetch, as long as no time can be estimated.
const FETCHED_PERCENT: f64 = 3.0;

/// The progress of a job at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Share of the job's time that has passed, 0 to 100.
    pub percent: f64,
    /// Estimated seconds until the job ends; `None` if they cannot be estimated yet.
    pub eta_s: Option<f64>,
}

impl Estimate {
    /// Adds `percent` to the details of progress, and `eta_s` if it is known and the phase runs.
    pub(crate) fn add_to(self, progress: &mut Progress) {
        let Progress { status, details, .. } = progress;
        details.insert("percent".to_owned(), tenths(self.percent).into());
        let eta_s = self.eta_s.filter(|_| *status == Status::InProgress);
        details.extend(eta_s.map(|eta_s| ("eta_s".to_owned(), tenths(eta_s).into())));
    }
}

/// Estimates the remaining time of one job.
#[derive(Clone, Debug)]
pub(crate) struct Estimator {
    started: Instant,
    history: SpeedHistory,
    initial: SpeedHistory,
    /// The expected durations of the job as a whole; `None` if no similar job has run.
    before: Option<JobForecast>,
    shape: JobShape,
    /// Estimate of the source of bars for the end of the fetch.
    fetch_end: Option<Instant>,
    fetched_share: f64,
    planned: Option<Instant>,
    steps: Vec<StepTimer>,
    percent: f64,
}

/// The expected seconds of a job, from earlier jobs of the same shape.
#[derive(Clone, Copy, Debug)]
struct JobForecast {
    /// Seconds to read bars and to compute features.
    prepare_s: f64,
    /// Seconds from then to the end.
    work_s: f64,
}

impl Estimator {
    /// Creates the estimator of a job that starts at `now`.
    pub(crate) fn new(shape: JobShape, history: SpeedHistory, now: Instant) -> Self {
        let before = shape.forecast(&history).map(|(prepare_s, work_s)| JobForecast { prepare_s, work_s });
        Self {
            started: now,
            history,
            initial: SpeedHistory::initial(),
            before,
            shape,
            fetch_end: None,
            fetched_share: 0.0,
            planned: None,
            steps: Vec::new(),
            percent: 0.0,
        }
    }

    /// Records work that the job reports at `now`.
    pub(crate) fn update(&mut self, update: &WorkUpdate, now: Instant) {
        match update {
            WorkUpdate::Fetching { fraction, eta_s } => {
                self.fetched_share = fraction.clamp(0.0, 1.0);
                let eta = eta_s.and_then(|eta_s| Duration::try_from_secs_f64(eta_s).ok());
                self.fetch_end = eta.and_then(|eta| now.checked_add(eta));
            }
            WorkUpdate::Planned(steps) => self.plan(steps, now),
            WorkUpdate::Progressed { step, fraction, folds } => self.advance(step, *fraction, *folds, now),
        }
    }

    /// Returns the estimate at `now`.
    pub(crate) fn estimate(&mut self, now: Instant) -> Estimate {
        let elapsed_s = seconds(now.saturating_duration_since(self.started));
        let eta_s = self.eta_s(now);
        let percent = match eta_s {
            Some(eta_s) => 100.0 * elapsed_s / (elapsed_s + eta_s).max(f64::MIN_POSITIVE),
            None => FETCHED_PERCENT * self.fetched_share,
        };
        self.percent = self.percent.max(percent.min(MAX_PERCENT));
        Estimate { percent: self.percent, eta_s }
    }

    /// Stores the speeds of a job that succeeded at `now`.
    pub(crate) fn store(mut self, path: &Path, now: Instant) {
        let Some(planned) = self.planned else { return };
        self.steps.iter_mut().for_each(|step| step.end(now));
        let prepare_s = seconds(planned.saturating_duration_since(self.started));
        let work_s = seconds(now.saturating_duration_since(planned));
        let mut measurements: Vec<Measurement> = self.steps.iter().flat_map(StepTimer::measurements).collect();
        measurements.extend(self.shape.measurements(prepare_s, work_s));
        SpeedHistory::add(path, &measurements);
    }

    fn plan(&mut self, steps: &[PlannedStep], now: Instant) {
        self.planned.get_or_insert(now);
        self.steps.retain(|timer| steps.iter().all(|planned| planned.step.kind != timer.step().kind));
        let timers = steps.iter().map(|planned| StepTimer::new(planned.clone(), &self.history, &self.initial));
        self.steps.extend(timers);
    }

    fn advance(&mut self, step: &Step, fraction: f64, folds: FoldShares, now: Instant) {
        for timer in &mut self.steps {
            if timer.step() == step {
                timer.report(fraction, folds, now);
            } else if timer.step().kind.stage() < step.kind.stage() {
                // A search may end before its last trial, and a family may fail.
                timer.end(now);
            }
        }
    }

    fn eta_s(&self, now: Instant) -> Option<f64> {
        if self.planned.is_some() {
            return Some(self.remaining_s(now));
        }
        let JobForecast { prepare_s, work_s } = self.before?;
        let elapsed_s = seconds(now.saturating_duration_since(self.started));
        let fetch_s = self.fetch_end.map_or(0.0, |end| seconds(end.saturating_duration_since(now)));
        Some((prepare_s - elapsed_s).max(fetch_s) + work_s)
    }

    /// Returns the seconds that the planned steps still need.
    fn remaining_s(&self, now: Instant) -> f64 {
        let stage = |timer: &StepTimer| timer.step().kind.stage();
        let current = self.steps.iter().filter(|timer| timer.has_started()).map(stage).max();
        // Steps of an earlier stage have ended, even if they never started.
        let stages: BTreeSet<StepKind> = self.steps.iter().map(stage).filter(|stage| Some(*stage) >= current).collect();
        stages.into_iter().map(|stage| self.remaining_s_of(stage, now)).sum()
    }

    /// Returns the seconds that the steps of one stage still need.
    fn remaining_s_of(&self, stage: StepKind, now: Instant) -> f64 {
        let of_job = ratio(self.steps.iter(), 1.0);
        let (mut longest_s, mut sum_s, mut n_parallel) = (0.0_f64, 0.0, 1);
        for timer in self.steps.iter().filter(|timer| timer.step().kind.stage() == stage && !timer.has_ended()) {
            let same_plugin = self.steps.iter().filter(|other| other.step().plugin == timer.step().plugin);
            let of_plugin = ratio(same_plugin, of_job);
            let remaining_s = timer.remaining_s(ratio([timer].into_iter(), of_plugin), now);
            longest_s = longest_s.max(remaining_s);
            sum_s += remaining_s;
            n_parallel = timer.n_parallel();
        }
        // No schedule is shorter than its longest step, or than the steps spread evenly.
        longest_s.max(sum_s / n_parallel as f64)
    }
}

/// Returns the measured seconds of some steps divided by their forecast seconds, drawn towards
/// `prior`.
fn ratio<'s>(steps: impl Iterator<Item = &'s StepTimer>, prior: f64) -> f64 {
    let (mut measured_s, mut forecast_s, mut weight_s) = (0.0, 0.0, 0.0);
    for timer in steps {
        let (step_s, done_share) = timer.pace();
        // Until the first report of a share, the time of a step has nothing to be compared with.
        if done_share > 0.0 {
            measured_s += step_s;
        }
        forecast_s += timer.forecast_s * done_share;
        let weight = if timer.is_measured { WEIGHT_OF_HISTORY } else { WEIGHT_OF_INITIAL };
        weight_s += weight * timer.forecast_s;
    }
    (measured_s + prior * weight_s) / (forecast_s + weight_s).max(f64::MIN_POSITIVE)
}
