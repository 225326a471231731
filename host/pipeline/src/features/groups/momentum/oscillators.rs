//! Distances of prices from their mean, their lows, and their earlier middle.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{each_bar, percent, ratio, sma, sum_windows, zip, zip_into};

/// The close less that of `n` bars before.
pub(super) fn mom(prices: &Prices, p: &[usize]) -> Vec<f64> {
    each_bar(p[0], prices.close.len(), |bar| prices.close[bar] - prices.close[bar - p[0]])
}

/// Commodity channel index. Source: Lambert; 0 without deviation.
pub(super) fn cci(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let typical = prices.typical();
    let average = sma(&typical, n);
    each_bar(n - 1, typical.len(), |bar| {
        let deviation = distances(&typical[bar + 1 - n..=bar], average[bar]) / n as f64;
        ratio(typical[bar] - average[bar], 0.015 * deviation, average[bar], 0.0)
    })
}

/// Sum of distances from a centre; no shorter way than one by one is known, so four go at once.
fn distances(values: &[f64], centre: f64) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        sums.iter_mut().zip(four).for_each(|(sum, value)| *sum += (value - centre).abs());
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| (value - centre).abs()).sum::<f64>()
}

/// Weights of the three windows of the ultimate oscillator, from the shortest on.
const WEIGHTS: [f64; 3] = [4.0, 2.0, 1.0];

/// Ultimate oscillator. Source: TA-Lib's ULTOSC; a window without a range counts as 0.
pub(super) fn ultosc(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let len = prices.close.len();
    let mut windows = [p[0], p[1], p[2]];
    windows.sort_unstable();
    let mut out = vec![0.0; len];
    let pressure = |bar: usize| prices.close[bar] - prices.low[bar].min(prices.close[bar - 1]);
    let changes: Vec<[f64; 2]> = (1..len).map(|bar| [pressure(bar), prices.true_range(bar)]).collect();
    for (n, weight) in windows.into_iter().zip(WEIGHTS) {
        let percent = 100.0 * weight / WEIGHTS.iter().sum::<f64>();
        sum_windows(
            changes.len(),
            n,
            |change, _| changes[change],
            |[pressure, range], _, change| {
                out[change + 1] += percent * ratio(pressure, range, prices.close[change + 1], 0.0);
            },
        );
    }
    out[..windows[2].min(len)].fill(f64::NAN);
    out
}

/// Mean of the bars' middles over `n` less that over `m`, in price and in percent of the second mean.
pub(super) static AWESOME: Shared = Shared {
    compute: |prices, p| {
        let middle = zip(prices.high, prices.low, |high, low| (high + low) / 2.0);
        let fast = sma(&middle, p[0]);
        let slow = sma(&middle, p[1]);
        let relative = zip(&fast, &slow, percent);
        vec![zip_into(fast, &slow, |fast, slow| fast - slow), relative]
    },
};
