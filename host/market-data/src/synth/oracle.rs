//! The oracle: the best possible forecast of a synthetic series, computed from the state of its
//! price process.
//!
//! In: a recipe, a horizon and a threshold. Out: the probability of a rise at each bar.
//! Invariant: if a series cannot be forecast, all probabilities are bitwise equal.
//!
//! The process is simulated up to each bar. From there it is simulated along random continuations
//! (Monte Carlo). The last step is integrated analytically, so the probability for a horizon of one
//! bar is exact. All bars use the same continuations. Otherwise the probabilities of an
//! unpredictable series would differ by chance.

use super::price_process::PriceProcess;
use super::random_stream::{Draws, RandomStream};
use super::recipe::Recipe;
use super::simulation::simulate;

/// Number of continuations per bar.
const N_PATHS: usize = 64;
/// Seed of the continuations. It is the text `oracle` in ASCII, which a user is unlikely to choose
/// as a seed.
const PATHS_SEED: u64 = 0x6F72_6163_6C65;
/// Maximum number of simulated steps. For a series that needs more steps, only every k-th bar is
/// evaluated.
const MAX_STEPS: usize = 20_000_000;

/// Computes the probability of a rise at each bar of a series.
#[derive(Clone, Debug)]
pub struct Oracle {
    recipe: Recipe,
}

impl Oracle {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self { recipe }
    }

    /// Returns one pair per evaluated bar: its index, and the probability that the close after
    /// `horizon_bars` bars is at least `threshold_pct` percent higher. For a long series only every
    /// k-th bar is evaluated.
    pub fn probabilities(&self, horizon_bars: usize, threshold_pct: f64) -> Vec<(usize, f64)> {
        let rise = (1.0 + threshold_pct / 100.0).ln();
        let paths = continuations(horizon_bars);
        let n_steps = self.recipe.n_bars.saturating_mul(N_PATHS).saturating_mul(horizon_bars);
        let states = simulate(&self.recipe).take(self.recipe.n_bars).enumerate();
        let evaluated = states.step_by(n_steps.div_ceil(MAX_STEPS).max(1));
        evaluated.map(|(bar, (state, _))| (bar, probability(&state, &paths, rise))).collect()
    }
}

/// Returns the random draws of all continuations. A continuation contains the draws for the bars
/// between a bar and its horizon.
fn continuations(horizon_bars: usize) -> Vec<Vec<Draws>> {
    let n_between = horizon_bars.saturating_sub(1);
    // Continuations without bars are all equal, so one of them is sufficient.
    let n_paths = if n_between == 0 { 1 } else { N_PATHS };
    let mut random = RandomStream::new(PATHS_SEED, 0);
    (0..n_paths).map(|_| (0..n_between).map(|_| random.draws()).collect()).collect()
}

/// Returns the probability that the log return from a state to its horizon is at least `rise`: the
/// mean over the continuations.
fn probability(state: &PriceProcess, paths: &[Vec<Draws>], rise: f64) -> f64 {
    let along = |path: &Vec<Draws>| {
        let mut process = *state;
        for draws in path {
            process.step(draws);
        }
        let remaining = rise - (process.close() / state.close()).ln();
        upper_tail((remaining - process.drift()) / process.deviation())
    };
    paths.iter().map(along).sum::<f64>() / paths.len() as f64
}

/// Returns the probability that a standard normal number is at least `z`. The error is at most
/// 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26).
fn upper_tail(z: f64) -> f64 {
    const TERMS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let tail = 0.5 * TERMS.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp();
    if z >= 0.0 { tail } else { 1.0 - tail }
}
