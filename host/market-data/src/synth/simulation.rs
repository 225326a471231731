//! Simulates the price process of a recipe bar by bar.
//!
//! In: a [`Recipe`]. Out: an endless iterator over its bars. Invariant: every simulation of a
//! recipe has the same steps.

use super::price_process::PriceProcess;
use super::random_stream::RandomStream;
use super::recipe::Recipe;

/// Returns an endless iterator over the bars of a recipe. Each item contains the state of the
/// process after a bar, and the bar itself as open, high, low, close and volume.
pub(super) fn simulate(recipe: &Recipe) -> impl Iterator<Item = (PriceProcess, [f64; 5])> {
    let mut random = RandomStream::new(recipe.seed, recipe.stream);
    let mut process = PriceProcess::new(recipe.kind, recipe.timeframe);
    std::iter::repeat_with(move || {
        let bar = process.step(&random.draws());
        (process, bar)
    })
}
