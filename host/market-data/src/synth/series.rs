//! Generates a synthetic series.
//!
//! In: a [`Recipe`]. Out: a [`Synthetic`] series. Invariant: prices have six decimals, volumes none.

use oculus_pipeline::bars::Bars;

use super::calendar;
use super::oracle::Oracle;
use super::recipe::Recipe;
use super::simulation::simulate;

/// A series with the oracle of its generator.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// The bars.
    pub bars: Bars,
    /// Computes the probability of every rise.
    pub oracle: Oracle,
}

/// Generates a series.
///
/// ```
/// use oculus_job::request::Timeframe;
/// use oculus_market_data::synth::{Kind, Recipe, generate};
///
/// let symbol = "AAA".to_owned();
/// let recipe = Recipe { kind: Kind::Walk, symbol, stream: 0, seed: 1, timeframe: Timeframe::Day1, n_bars: 300 };
/// assert_eq!(generate(&recipe).bars, generate(&recipe).bars);
/// ```
pub fn generate(recipe: &Recipe) -> Synthetic {
    let n_bars = recipe.n_bars;
    let column = || Vec::with_capacity(n_bars);
    let mut bars = Bars {
        symbol: recipe.symbol.clone(),
        time: calendar::times(recipe.timeframe, n_bars),
        open: column(),
        high: column(),
        low: column(),
        close: column(),
        volume: column(),
    };
    for [open, high, low, close, volume] in simulate(recipe).map(|(_, bar)| bar).take(bars.time.len()) {
        bars.open.push(to_decimals(open));
        bars.high.push(to_decimals(high));
        bars.low.push(to_decimals(low));
        bars.close.push(to_decimals(close));
        bars.volume.push(volume.round());
    }
    Synthetic { bars, oracle: Oracle::new(recipe.clone()) }
}

/// Rounds a price to six decimals.
fn to_decimals(price: f64) -> f64 {
    (price * 1e6).round() / 1e6
}
