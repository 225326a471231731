//! Computes oscillators from the distances of prices from earlier prices, means and lows.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{each_bar, percent, ratio, sma, sum_windows, zip, zip_into};

/// Computes the close minus the close `n` bars before.
pub(super) fn mom(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    each_bar(p[0], prices.close.len(), |bar| prices.close[bar] - prices.close[bar - p[0]])
}

/// Computes the commodity channel index; 0 if the deviation is 0. Source: Lambert.
pub(super) fn cci(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let typical = prices.typical();
    let average = sma(&typical, n);
    each_bar(n - 1, typical.len(), |bar| {
        let deviation = distances(&typical[bar + 1 - n..=bar], average[bar]) / n as f64;
        ratio(typical[bar] - average[bar], 0.015 * deviation, average[bar], 0.0)
    })
}

/// Computes the sum of distances from a centre.
///
/// The centre changes with every window, so all distances have to be summed again. Four independent
/// sums allow the processor to add in parallel.
fn distances(values: &[f64], centre: f64) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        sums.iter_mut().zip(four).for_each(|(sum, value)| *sum += (value - centre).abs());
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| (value - centre).abs()).sum::<f64>()
}

/// Weights of the three windows of the ultimate oscillator, the shortest first.
const WEIGHTS: [f64; 3] = [4.0, 2.0, 1.0];

/// Computes the ultimate oscillator; a window without a range adds 0. Source: TA-Lib's ULTOSC.
pub(super) fn ultosc(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
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

/// The mean of the bars' midpoints over `n` bars minus their mean over `m` bars, in price and in
/// percent of the mean over `m` bars.
pub(super) static AWESOME: Shared = Shared {
    compute: |prices, p| {
        let middle = zip(prices.high, prices.low, |high, low| (high + low) / 2.0);
        let fast = sma(&middle, p[0]);
        let slow = sma(&middle, p[1]);
        let relative = zip(&fast, &slow, percent);
        vec![zip_into(fast, &slow, |fast, slow| fast - slow), relative]
    },
};
