//! Computes the position of the close in its recent range, or the position of the relative strength
//! in its own recent range.

use super::strength::rsi;
use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{each_bar, highest, lowest, ratio, sma_from};

/// The stochastic oscillator and its average; 0 if the range is 0. Source: TA-Lib's STOCH with
/// simple averages.
pub(super) static STOCHASTIC: Shared = Shared {
    compute: |prices, p| {
        let position = range_position(prices, p[0], 0.0);
        smooth(&position, p[0] - 1, p[1], p[2])
    },
};

/// Smallest range of the relative strength, in points, that is not treated as 0. In a smaller
/// range, the position would depend on rounding errors.
const MIN_RANGE: f64 = 0.01;

/// The stochastic oscillator of the relative strength. Source: TA-Lib's STOCHRSI, which does not
/// smooth its first line.
pub(super) static STOCHASTIC_STRENGTH: Shared = Shared {
    compute: |prices, p| {
        let strength = rsi(prices, p);
        let known = &strength[p[0].min(strength.len())..];
        let high = highest(known, p[1]);
        let low = lowest(known, p[1]);
        let first = p[0] + p[1] - 1;
        let position = each_bar(first, strength.len(), |bar| {
            let high = high[bar - p[0]];
            let low = low[bar - p[0]];
            if high - low < MIN_RANGE { 0.0 } else { 100.0 * (strength[bar] - low) / (high - low) }
        });
        smooth(&position, first, p[2], p[3])
    },
};

/// Averages positions over `n` bars, and averages the result over `m` bars. Both averages have
/// values from the first bar of the second average on.
///
/// * `first`: first bar that has a position.
fn smooth(position: &[f64], first: usize, n: usize, m: usize) -> Vec<Vec<f64>> {
    let mut line = sma_from(position, n, first);
    let average = sma_from(&line, m, first + n - 1);
    let hidden = (first + n + m - 2).min(line.len());
    line[..hidden].fill(f64::NAN);
    vec![line, average]
}

/// Returns the number of bars before the first value of both stochastic lines.
pub(super) fn stochastic_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] + p[2] - 3
}

/// Returns the number of bars before the first value of both stochastic lines of the relative
/// strength.
pub(super) fn stochastic_strength_warm_up(p: &[usize]) -> usize {
    p[0] + stochastic_warm_up(&p[1..])
}

/// Computes Williams' %R: -100 at the low of the range, 0 at its high; 0 if the range is 0.
pub(super) fn willr(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let mut values = range_position(prices, p[0], 100.0);
    values.iter_mut().for_each(|value| *value -= 100.0);
    values
}

/// Computes the position of the close in the range of `n` bars: 0 at the low, 100 at the high.
///
/// * `without_range`: position if the range is 0.
fn range_position(prices: &OhlcvView, n: usize, without_range: f64) -> Vec<f64> {
    let mut position = highest(prices.high, n);
    let low = lowest(prices.low, n);
    for ((position, low), close) in position.iter_mut().zip(low).zip(prices.close) {
        *position = ratio(100.0 * (close - low), *position - low, *close, without_range);
    }
    position
}
