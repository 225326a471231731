//! Distances from what prices were: from their mean, their low ends, their middle some bars ago.

use super::super::{
    catalogue::{Prices, Shared},
    window::{columns, each_bar, percent_above, ratio, sma, sum, zip},
};

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
    let [mut pressure, mut range] = columns(len.saturating_sub(1));
    for bar in 1..len {
        pressure[bar - 1] = prices.close[bar] - prices.low[bar].min(prices.close[bar - 1]);
        range[bar - 1] = prices.true_range(bar);
    }
    let sums = windows.map(|n| (sum(&pressure, n), sum(&range, n)));
    each_bar(windows[2], len, |bar| {
        let shares = sums.iter().zip(WEIGHTS);
        let of_range =
            |(pressure, range): &(Vec<f64>, Vec<f64>)| ratio(pressure[bar - 1], range[bar - 1], prices.close[bar], 0.0);
        100.0 * shares.map(|(sums, weight)| weight * of_range(sums)).sum::<f64>() / WEIGHTS.iter().sum::<f64>()
    })
}

/// Mean of the bars' middles over `n` less that over `m`, and the same in percent of the second.
pub(super) static AWESOME: Shared = Shared {
    compute: |prices, p| {
        let middle = zip(prices.high, prices.low, |high, low| (high + low) / 2.0);
        let (fast, slow) = (sma(&middle, p[0]), sma(&middle, p[1]));
        vec![zip(&fast, &slow, |fast, slow| fast - slow), percent_above(&fast, &slow)]
    },
};
