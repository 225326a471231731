//! Runs the process of a recipe bar by bar.
//!
//! In: a [`Recipe`]. Out: an endless iterator over its bars. Invariant: every run of a recipe has the same steps.

use super::noise::Noise;
use super::price_process::PriceProcess;
use super::recipe::Recipe;

/// Returns the endless steps of a recipe: each bar, with the state of the process after it.
pub(super) fn simulate(recipe: &Recipe) -> impl Iterator<Item = (PriceProcess, [f64; 5])> {
    let mut noise = Noise::new(recipe.seed, recipe.stream);
    let mut process = PriceProcess::new(recipe.kind, recipe.timeframe);
    std::iter::repeat_with(move || {
        let bar = process.step(&noise.draws());
        (process, bar)
    })
}
