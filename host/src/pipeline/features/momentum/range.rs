//! Where the close, or its relative strength, stands in its recent range.

use super::{
    super::{
        catalogue::{Prices, Shared},
        window::{each_bar, from, highest, lowest, ratio, sma},
    },
    strength::rsi,
};

/// The stochastic oscillator, and its average. Source: TA-Lib's STOCH with simple averages; 0 without a range.
pub(super) static STOCHASTIC: Shared = Shared {
    compute: |prices, p| {
        let position = range_position(prices, p[0], 0.0);
        smooth(&position, [p[0] - 1, p[1], p[2]])
    },
};

/// The same of the relative strength in its own range. Source: TA-Lib's STOCHRSI, which leaves its first line as it is.
pub(super) static STOCHASTIC_STRENGTH: Shared = Shared {
    compute: |prices, p| {
        let strength = rsi(prices, p);
        let position = from(p[0], &strength, |strength| {
            let (high, low) = (highest(strength, p[1]), lowest(strength, p[1]));
            let place = |bar: usize| ratio(strength[bar] - low[bar], high[bar] - low[bar], 100.0, 0.0);
            each_bar(p[1] - 1, strength.len(), place)
        });
        smooth(&position, [p[0] + p[1] - 1, p[2], p[3]])
    },
};

/// An average of positions over `n` bars in percent, and its own average over `m`; both start where the second does.
fn smooth(position: &[f64], [first, n, m]: [usize; 3]) -> Vec<Vec<f64>> {
    let percent: Vec<f64> = position.iter().map(|position| 100.0 * position).collect();
    let mut line = from(first, &percent, |known| sma(known, n));
    let average = from(first + n - 1, &line, |known| sma(known, m));
    let hidden = (first + n + m - 2).min(line.len());
    line[..hidden].fill(f64::NAN);
    vec![line, average]
}

/// Bars before the first value of both stochastic lines.
pub(super) fn stochastic_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] + p[2] - 3
}

/// The same of the relative strength's.
pub(super) fn stochastic_strength_warm_up(p: &[usize]) -> usize {
    p[0] + stochastic_warm_up(&p[1..])
}

/// Williams' %R: -100 at the low of the range, 0 at its high; 0 without a range.
pub(super) fn willr(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut values = range_position(prices, p[0], 1.0);
    values.iter_mut().for_each(|value| *value = 100.0 * (*value - 1.0));
    values
}

/// The close's place in the range of `n` bars, 0 at the low, 1 at the high.
fn range_position(prices: &Prices, n: usize, without_range: f64) -> Vec<f64> {
    let (high, low) = (highest(prices.high, n), lowest(prices.low, n));
    each_bar(n - 1, prices.close.len(), |bar| {
        let close = prices.close[bar];
        ratio(close - low[bar], high[bar] - low[bar], close, without_range)
    })
}
