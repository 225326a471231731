//! Who knows how a series was made: the probability of a rise, given all that is known at a bar.
//!
//! The course is followed again to each bar and from there along made-up continuations; the last step is integrated, so
//! that the answer for one bar ahead is exact. Every bar sees the same continuations: where nothing can be known all
//! probabilities are equal, bit for bit.

use super::course::PriceProcess;
use super::noise::{Draws, Noise};
use super::{Recipe, Synthetic, courses};
use oculus_pipeline::bars::Bars;
use oculus_pipeline::metrics::auc;

/// Continuations of a bar.
const N_PATHS: usize = 64;
/// Seed of the continuations, none that a user would take.
const PATHS_SEED: u64 = 0x6F72_6163_6C65;
/// Steps along continuations in all; a series that needs more is asked at every second, third … bar only.
const MOST_STEPS: usize = 20_000_000;

/// Who knows a series.
#[derive(Clone, Debug)]
pub struct Oracle {
    recipe: Recipe,
}

impl Oracle {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self { recipe }
    }

    /// The probability at each bar, given by its index, that the close `horizon_bars` later is at least `threshold_pct`
    /// percent higher; of a long series at every second, third … bar.
    pub fn probabilities(&self, horizon_bars: usize, threshold_pct: f64) -> Vec<(usize, f64)> {
        let rise = (1.0 + threshold_pct / 100.0).ln();
        let paths = continuations(horizon_bars);
        let n_steps = self.recipe.n_bars.saturating_mul(N_PATHS).saturating_mul(horizon_bars);
        let known = courses(&self.recipe).take(self.recipe.n_bars).enumerate();
        let asked = known.step_by(n_steps.div_ceil(MOST_STEPS).max(1));
        asked.map(|(bar, (course, _))| (bar, probability(&course, &paths, rise))).collect()
    }
}

/// What happens in the bars between one and its horizon, the last excluded.
fn continuations(horizon_bars: usize) -> Vec<Vec<Draws>> {
    let n_between = horizon_bars.saturating_sub(1);
    let n_paths = if n_between == 0 { 1 } else { N_PATHS };
    let mut noise = Noise::new(PATHS_SEED, 0);
    (0..n_paths).map(|_| (0..n_between).map(|_| noise.draws()).collect()).collect()
}

fn probability(known: &PriceProcess, paths: &[Vec<Draws>], rise: f64) -> f64 {
    let along = |path: &Vec<Draws>| {
        let mut course = *known;
        for draws in path {
            course.step(draws);
        }
        let missing = rise - (course.close() / known.close()).ln();
        upper_tail((missing - course.drift()) / course.deviation())
    };
    paths.iter().map(along).sum::<f64>() / paths.len() as f64
}

/// Probability that a standard normal number is at least `z`; within 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn upper_tail(z: f64) -> f64 {
    const TERMS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let tail = 0.5 * TERMS.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp();
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// Share of the bars after which the close is `threshold_pct` percent higher `horizon_bars` later; `None` without any.
pub fn base_rate(bars: &Bars, horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let rises = (0..bars.len()).filter_map(|bar| rises(bars, bar, horizon_bars, threshold_pct));
    let (n_rises, n_bars) = rises.fold((0_usize, 0_usize), |(sum, n), rises| (sum + usize::from(rises), n + 1));
    (n_bars > 0).then(|| n_rises as f64 / n_bars as f64)
}

/// AUC of the oracle's probabilities on what came; 0.5 where nothing can be known, `None` where either class is missing.
pub fn oracle_auc(series: &[Synthetic], horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let (mut labels, mut scores) = (Vec::new(), Vec::new());
    for Synthetic { bars, oracle } in series {
        for (bar, probability) in oracle.probabilities(horizon_bars, threshold_pct) {
            if let Some(rises) = rises(bars, bar, horizon_bars, threshold_pct) {
                labels.push(f32::from(u8::from(rises)));
                scores.push(probability as f32);
            }
        }
    }
    auc(&labels, &scores).ok()
}

/// A bar's label as a job defines it.
fn rises(bars: &Bars, bar: usize, horizon_bars: usize, threshold_pct: f64) -> Option<bool> {
    let later = bars.close.get(bar + horizon_bars)?;
    Some(100.0 * (later / bars.close[bar] - 1.0) >= threshold_pct)
}
