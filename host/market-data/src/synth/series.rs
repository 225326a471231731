//! Generates a synthetic series.
//!
//! In: a [`Recipe`]. Out: a [`SyntheticSeries`]. Invariant: prices are rounded to six decimals,
//! volumes to whole numbers.

use oculus_pipeline::bars::Bars;

use super::calendar;
use super::oracle::Oracle;
use super::recipe::Recipe;
use super::simulation::simulate;

/// A generated series with its oracle.
#[derive(Clone, Debug)]
pub struct SyntheticSeries {
    /// The bars.
    pub bars: Bars,
    /// Oracle that computes the probability of a rise at every bar.
    pub oracle: Oracle,
}

/// Generates the series of a recipe.
///
/// ```
/// use oculus_job::request::Timeframe;
/// use oculus_market_data::synth::{Kind, Recipe, generate};
///
/// let symbol = "AAA".to_owned();
/// let recipe = Recipe { kind: Kind::Walk, symbol, stream: 0, seed: 1, timeframe: Timeframe::Day1, n_bars: 300 };
/// assert_eq!(generate(&recipe).bars, generate(&recipe).bars);
/// ```
pub fn generate(recipe: &Recipe) -> SyntheticSeries {
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
    // The calendar may have fewer times than `n_bars`, so the series has only as many bars as there
    // are times.
    for [open, high, low, close, volume] in simulate(recipe).map(|(_, bar)| bar).take(bars.time.len()) {
        bars.open.push(round_price(open));
        bars.high.push(round_price(high));
        bars.low.push(round_price(low));
        bars.close.push(round_price(close));
        bars.volume.push(volume.round());
    }
    SyntheticSeries { bars, oracle: Oracle::new(recipe.clone()) }
}

/// Rounds a price to six decimals, the precision of the CSV files. A CSV file then contains exactly
/// these bars.
fn round_price(price: f64) -> f64 {
    (price * 1e6).round() / 1e6
}
