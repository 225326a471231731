//! Makes surrogate markets: markets with the volatility of the real one, and without direction.
//!
//! In: a market. Out: a market with the same bars per symbol, in which a fair coin decides whether
//! each bar's move is kept or mirrored. Invariants: all symbols and benchmarks share the coin of a
//! bar's time; volumes and the sizes of all moves are those of the real market.
//!
//! Under the hypothesis that moves cannot be forecast from earlier bars, and that rises and falls
//! of a size are equally likely, the real market is one of the surrogates, so its score has a
//! uniform rank among theirs. Window biases are in both: in a short window, past levels revert to
//! the window's own mean (Marriott and Pope, *Bias in the Estimation of Autocorrelations*, 1954).
//! So is the volatility, which forecasts large moves; a permutation of dates would destroy it, and
//! rejects chance in a fifth of the markets whose volatility alone can be forecast (decision 27).

use crate::{
    bars::{Bars, Market},
    metrics::Random,
};

/// Returns a surrogate of a market.
///
/// A move is the log price relative to the close before. Mirroring it turns a high into a low.
pub(super) fn surrogate(market: &Market, mut random: Random) -> Market {
    let series = || market.bars.iter().chain(&market.benchmarks);
    let mut times: Vec<i64> = series().flat_map(|bars| bars.time.iter().copied()).collect();
    times.sort_unstable();
    times.dedup();
    let is_mirrored: Vec<bool> = times.iter().map(|_| random.below(2) == 1).collect();
    let mirrored = |time: i64| times.binary_search(&time).is_ok_and(|idx| is_mirrored[idx]);
    let with_coins = |bars: &Vec<Bars>| bars.iter().map(|bars| with_coins(bars, mirrored)).collect();
    Market { bars: with_coins(&market.bars), benchmarks: with_coins(&market.benchmarks), ..market.clone() }
}

/// Returns the bars of one symbol with the moves at the given times mirrored. The first bar, which
/// has no close before it, is kept.
fn with_coins(bars: &Bars, is_mirrored: impl Fn(i64) -> bool) -> Bars {
    let mut new = bars.clone();
    for idx in 1..bars.len() {
        let close_before = bars.close[idx - 1];
        let new_close_before = new.close[idx - 1];
        let [open, high, low, close] = [bars.open[idx], bars.high[idx], bars.low[idx], bars.close[idx]];
        let kept = |price: f64| new_close_before * (price / close_before);
        let mirror = |price: f64| new_close_before * (close_before / price);
        [new.open[idx], new.high[idx], new.low[idx], new.close[idx]] = match is_mirrored(bars.time[idx]) {
            false => [open, high, low, close].map(kept),
            true => [open, low, high, close].map(mirror),
        };
    }
    new
}
