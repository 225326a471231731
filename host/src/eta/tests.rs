//! Estimates of simulated jobs, whose clock the test sets.

use std::path::Path;
use std::time::{Duration, Instant};

use oculus_job::request::Job;
use oculus_pipeline::fitter::FoldShares;
use oculus_pipeline::work::{PlannedStep, Step, StepKind, WorkUpdate};
use proptest::prelude::*;
use serde_json::json;

use super::estimator::Estimate;
use super::{Estimator, JobShape, SpeedHistory};

/// Seconds that a simulated job reads bars and computes features.
const PREPARE_S: f64 = 0.5;

/// A step of a simulated job. Steps of one stage run at the same time.
#[derive(Clone, Debug)]
struct SimulatedStep {
    kind: StepKind,
    plugin: &'static str,
    units: f64,
    seconds: f64,
    /// Share that the step reports right before its end.
    end_share: f64,
}

/// A job as the machine runs it.
#[derive(Clone, Debug)]
struct SimulatedJob {
    steps: Vec<SimulatedStep>,
}

impl SimulatedJob {
    /// Returns a job of all kinds of steps.
    ///
    /// * `size`: units of each step.
    /// * `speeds`: seconds per unit of each of the ten steps.
    fn new(size: f64, speeds: &[f64]) -> Self {
        let steps = [
            (StepKind::Search, "trees", 1.0),
            (StepKind::Folds, "net", 0.3),
            (StepKind::Folds, "linear", 1.0),
            (StepKind::Surrogates, "trees", 1.0),
            (StepKind::Final, "trees", 1.0),
            (StepKind::Final, "net", 1.0),
            (StepKind::Chance, "net", 1.0),
            (StepKind::Rules, "rules", 1.0),
            (StepKind::Strategy, "", 1.0),
            (StepKind::Report, "", 1.0),
        ];
        let steps = steps.into_iter().zip(speeds).map(|((kind, plugin, end_share), speed)| SimulatedStep {
            kind,
            plugin,
            units: size,
            seconds: speed * size,
            end_share,
        });
        Self { steps: steps.collect() }
    }

    fn plan(&self) -> WorkUpdate {
        let planned = |step: &SimulatedStep| PlannedStep { step: id(step), units: step.units, n_parallel: 3 };
        WorkUpdate::Planned(self.steps.iter().map(planned).collect())
    }

    /// Returns the updates with their times in seconds, in order.
    fn updates(&self) -> Vec<(f64, WorkUpdate)> {
        let mut updates = vec![(PREPARE_S, self.plan())];
        let mut start_s = PREPARE_S;
        for of_stage in self.steps.chunk_by(|one, next| one.kind.stage() == next.kind.stage()) {
            for step in of_stage {
                let at = |share: f64| {
                    let fraction = if share < 1.0 { share * step.end_share } else { 1.0 };
                    // The step consists of one fit.
                    let share_ended = if share < 1.0 { 0.0 } else { 1.0 };
                    let reported = share_ended * step.end_share;
                    let folds = FoldShares { certain: share_ended, stopped: share_ended, reported };
                    (start_s + share * step.seconds, WorkUpdate::Progressed { step: id(step), fraction, folds })
                };
                updates.extend((0..=20).map(|tick| at(f64::from(tick) / 20.0)));
            }
            start_s += of_stage.iter().map(|step| step.seconds).fold(0.0, f64::max);
        }
        updates.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        updates
    }

    /// Runs the job with the speeds of `history` and stores its own. Returns the estimate after each
    /// update, with the seconds that actually remained.
    fn run(&self, store: &Path) -> Vec<(Estimate, f64)> {
        let started = Instant::now();
        let at = |seconds: f64| started + Duration::from_secs_f64(seconds);
        let mut estimator = Estimator::new(shape(), SpeedHistory::read(store), started);
        let updates = self.updates();
        let end_s = updates.last().map_or(0.0, |(end_s, _)| *end_s);
        let mut estimates = Vec::new();
        for (time_s, update) in updates {
            estimator.update(&update, at(time_s));
            estimates.push((estimator.estimate(at(time_s)), end_s - time_s));
        }
        estimator.store(store, at(end_s));
        estimates
    }
}

fn id(step: &SimulatedStep) -> Step {
    Step { kind: step.kind, plugin: step.plugin.to_owned() }
}

fn shape() -> JobShape {
    let job = json!({ "build_id": "job", "symbols": ["A", "B"], "design": { "years": 2 } });
    JobShape::from_job(&Job::from_value(&job).unwrap())
}

/// Asserts that estimates from `percent` on are within a factor of two, apart from `slack_s`.
fn check_factor_two(estimates: &[(Estimate, f64)], percent: f64, slack_s: f64) -> Result<(), TestCaseError> {
    for (estimate, actual_s) in estimates.iter().filter(|(estimate, _)| estimate.percent >= percent) {
        let eta_s = estimate.eta_s.unwrap_or(f64::NAN);
        let is_close = eta_s <= 2.0 * actual_s + slack_s && eta_s >= 0.5 * actual_s - slack_s;
        prop_assert!(is_close, "{estimate:?}, but {actual_s} s remained");
    }
    Ok(())
}

proptest! {
    // Each case writes and reads files, and estimates hundreds of times.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn with_learned_speeds_the_estimate_is_within_a_factor_of_two_from_the_start(
        size in 1e3..1e7_f64,
        seconds in prop::collection::vec(0.01..60.0_f64, 10),
        change in prop::collection::vec(0.8..1.25_f64, 10),
        pace in 0.8..1.25_f64,
    ) {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("speeds.json");
        let speeds: Vec<f64> = seconds.iter().map(|seconds| seconds / size).collect();
        SimulatedJob::new(size, &speeds).run(&store);
        // The second job has another size, the machine is busier or less busy, and each step differs.
        let speeds: Vec<f64> = speeds.iter().zip(change).map(|(speed, change)| speed * change * pace).collect();
        let estimates = SimulatedJob::new(1.4 * size, &speeds).run(&store);
        check_factor_two(&estimates, 0.0, 0.2)?;
    }

    #[test]
    fn percent_never_decreases_and_stays_below_100(
        first in prop::collection::vec(0.01..60.0_f64, 10),
        second in prop::collection::vec(0.01..60.0_f64, 10),
    ) {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("speeds.json");
        for speeds in [first, second] {
            let percents: Vec<f64> =
                SimulatedJob::new(1.0, &speeds).run(&store).iter().map(|(estimate, _)| estimate.percent).collect();
            prop_assert!(percents.is_sorted() && percents.iter().all(|percent| (0.0..100.0).contains(percent)));
        }
    }
}

#[test]
fn a_machine_that_is_ten_times_slower_than_learned_is_noticed_after_a_tenth_of_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("speeds.json");
    let speeds = [3.0, 2.0, 1.0, 0.5, 0.5, 2.0, 0.5, 0.2, 0.2, 0.1];
    SimulatedJob::new(1.0, &speeds).run(&store);
    let estimates = SimulatedJob::new(1.0, &speeds.map(|speed| 10.0 * speed)).run(&store);
    let total_s = estimates[0].1;
    let later: Vec<_> = estimates.into_iter().filter(|(_, actual_s)| *actual_s < 0.9 * total_s).collect();
    assert!(later.len() > 100);
    check_factor_two(&later, 0.0, 0.5).unwrap();
}

#[test]
fn the_start_of_a_plugin_does_not_slow_down_the_estimate_of_its_fits() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("speeds.json");
    let job = SimulatedJob::new(1.0, &[1.0; 10]);
    let total_s = job.run(&store)[0].1;
    let now = Instant::now();
    let mut estimator = Estimator::new(shape(), SpeedHistory::read(&store), now);
    estimator.update(&job.plan(), now);
    // The plugin needs two seconds to start, and then runs at its learned speed.
    for (time_s, fraction) in [(0.0, 0.0), (2.0, 0.01), (2.02, 0.03)] {
        let update = WorkUpdate::Progressed { step: id(&job.steps[0]), fraction, folds: FoldShares::default() };
        estimator.update(&update, now + Duration::from_secs_f64(time_s));
    }
    let eta_s = estimator.estimate(now + Duration::from_secs_f64(2.02)).eta_s.unwrap();
    assert!((eta_s / total_s - 1.0).abs() < 0.1, "{eta_s} s instead of {total_s} s");
}

#[test]
fn the_end_is_estimated_before_the_start_once_a_similar_job_has_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("speeds.json");
    assert_eq!(shape().forecast_s(&SpeedHistory::read(&store)), None);
    let estimates = SimulatedJob::new(1.0, &[1.0; 10]).run(&store);
    let total_s = estimates[0].1 + PREPARE_S;
    let forecast_s = shape().forecast_s(&SpeedHistory::read(&store)).unwrap();
    assert!((forecast_s - total_s).abs() < 1e-6, "{forecast_s} s, {total_s} s");
}

#[test]
fn a_fetch_without_history_has_no_eta_and_with_history_adds_the_estimate_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("speeds.json");
    let now = Instant::now();
    let fetching = WorkUpdate::Fetching { fraction: 0.5, eta_s: Some(30.0) };
    let estimate = || {
        let mut estimator = Estimator::new(shape(), SpeedHistory::read(&store), now);
        estimator.update(&fetching, now);
        estimator.estimate(now)
    };
    assert_eq!(estimate(), Estimate { percent: 1.5, eta_s: None });
    let total_s = SimulatedJob::new(1.0, &[1.0; 10]).run(&store)[0].1;
    assert!((estimate().eta_s.unwrap() - (30.0 + total_s)).abs() < 1e-6);
}

#[test]
fn a_damaged_file_is_an_empty_history_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("speeds.json");
    std::fs::write(&store, r#"{"entries": [{"work": "search/trees", "size": 0, "per_unit": -1, "n": 1}]}"#).unwrap();
    assert_eq!(SpeedHistory::read(&store), SpeedHistory::default());
    std::fs::write(&store, "{").unwrap();
    assert_eq!(SpeedHistory::read(&store), SpeedHistory::default());
    SimulatedJob::new(1.0, &[1.0; 10]).run(&store);
    assert_ne!(SpeedHistory::read(&store), SpeedHistory::default());
    // A folder in place of the file cannot be replaced, and the job does not fail.
    let blocked = folder.path().join("blocked");
    std::fs::create_dir(&blocked).unwrap();
    SimulatedJob::new(1.0, &[1.0; 10]).run(&blocked);
}
