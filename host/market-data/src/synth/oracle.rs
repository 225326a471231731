//! The best possible forecast of a synthetic series: the probability of a rise, given the state of
//! its process at a bar.
//!
//! In: a recipe, a horizon and a threshold. Out: one probability per bar.
//! Invariant: if a series cannot be forecast, all probabilities are equal, bit for bit.
//!
//! The process is simulated again up to each bar, and from there along random continuations. The
//! last step is integrated, so that the answer for one bar ahead is exact. Every bar has the same
//! continuations.

use super::noise::{Draws, Noise};
use super::price_process::PriceProcess;
use super::recipe::Recipe;
use super::simulation::simulate;

/// Number of continuations per bar.
const N_PATHS: usize = 64;
/// Seed of the continuations; unlikely to be the seed of a user.
const PATHS_SEED: u64 = 0x6F72_6163_6C65;
/// The most steps along continuations; of a series that needs more, only every second, third … bar
/// is evaluated.
const MOST_STEPS: usize = 20_000_000;

/// Computes the probabilities of a series.
#[derive(Clone, Debug)]
pub struct Oracle {
    recipe: Recipe,
}

impl Oracle {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self { recipe }
    }

    /// Returns the probability at each bar, given by its index, that the close `horizon_bars` later
    /// is at least `threshold_pct` percent higher; of a long series at every second, third … bar.
    pub fn probabilities(&self, horizon_bars: usize, threshold_pct: f64) -> Vec<(usize, f64)> {
        let rise = (1.0 + threshold_pct / 100.0).ln();
        let paths = continuations(horizon_bars);
        let n_steps = self.recipe.n_bars.saturating_mul(N_PATHS).saturating_mul(horizon_bars);
        let states = simulate(&self.recipe).take(self.recipe.n_bars).enumerate();
        let evaluated = states.step_by(n_steps.div_ceil(MOST_STEPS).max(1));
        evaluated.map(|(bar, (state, _))| (bar, probability(&state, &paths, rise))).collect()
    }
}

/// Returns the draws of the bars between a bar and its horizon, the last excluded.
fn continuations(horizon_bars: usize) -> Vec<Vec<Draws>> {
    let n_between = horizon_bars.saturating_sub(1);
    let n_paths = if n_between == 0 { 1 } else { N_PATHS };
    let mut noise = Noise::new(PATHS_SEED, 0);
    (0..n_paths).map(|_| (0..n_between).map(|_| noise.draws()).collect()).collect()
}

/// Returns the probability that the log return from a state to its horizon is at least `rise`.
fn probability(state: &PriceProcess, paths: &[Vec<Draws>], rise: f64) -> f64 {
    let along = |path: &Vec<Draws>| {
        let mut process = *state;
        for draws in path {
            process.step(draws);
        }
        let missing = rise - (process.close() / state.close()).ln();
        upper_tail((missing - process.drift()) / process.deviation())
    };
    paths.iter().map(along).sum::<f64>() / paths.len() as f64
}

/// Returns the probability that a standard normal number is at least `z`; within 1.5e-7 (Abramowitz
/// and Stegun 7.1.26).
fn upper_tail(z: f64) -> f64 {
    const TERMS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let tail = 0.5 * TERMS.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp();
    if z >= 0.0 { tail } else { 1.0 - tail }
}
