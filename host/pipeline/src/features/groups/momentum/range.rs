//! Where the close, or its relative strength, stands in its recent range.

use super::strength::rsi;
use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{each_bar, highest, lowest, ratio, sma_from};

/// The stochastic oscillator, and its average. Source: TA-Lib's STOCH with simple averages; 0 without a range.
pub(super) static STOCHASTIC: Shared = Shared {
    compute: |prices, p| {
        let place = range_place(prices, p[0], 0.0);
        smooth(&place, p[0] - 1, p[1], p[2])
    },
};

/// Points of relative strength: a smaller range counts as none, since the rounding of its ends is not small relative to
/// it.
const LEAST_RANGE: f64 = 0.01;

/// The stochastic oscillator of the relative strength. Source: TA-Lib's STOCHRSI, which leaves its first line as it is.
pub(super) static STOCHASTIC_STRENGTH: Shared = Shared {
    compute: |prices, p| {
        let strength = rsi(prices, p);
        let known = &strength[p[0].min(strength.len())..];
        let high = highest(known, p[1]);
        let low = lowest(known, p[1]);
        let first = p[0] + p[1] - 1;
        let place = each_bar(first, strength.len(), |bar| {
            let high = high[bar - p[0]];
            let low = low[bar - p[0]];
            if high - low < LEAST_RANGE { 0.0 } else { 100.0 * (strength[bar] - low) / (high - low) }
        });
        smooth(&place, first, p[2], p[3])
    },
};

/// Averages places, known from bar `first` on, over `n` bars, and that average over `m` bars; both start
/// where the second average does.
fn smooth(place: &[f64], first: usize, n: usize, m: usize) -> Vec<Vec<f64>> {
    let mut line = sma_from(place, n, first);
    let average = sma_from(&line, m, first + n - 1);
    let hidden = (first + n + m - 2).min(line.len());
    line[..hidden].fill(f64::NAN);
    vec![line, average]
}

/// Bars before the first value of both stochastic lines.
pub(super) fn stochastic_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] + p[2] - 3
}

/// Bars before the first value of both stochastic lines of the relative strength.
pub(super) fn stochastic_strength_warm_up(p: &[usize]) -> usize {
    p[0] + stochastic_warm_up(&p[1..])
}

/// Williams' %R: -100 at the low of the range, 0 at its high; 0 without a range.
pub(super) fn willr(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut values = range_place(prices, p[0], 100.0);
    values.iter_mut().for_each(|value| *value -= 100.0);
    values
}

/// The close's place in the range of `n` bars, 0 at the low, 100 at the high.
fn range_place(prices: &Prices, n: usize, without_range: f64) -> Vec<f64> {
    let mut place = highest(prices.high, n);
    let low = lowest(prices.low, n);
    for ((place, low), close) in place.iter_mut().zip(low).zip(prices.close) {
        *place = ratio(100.0 * (close - low), *place - low, *close, without_range);
    }
    place
}
