//! Computes the relation of gains to losses.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{Average, nan_columns, push_through, ratio};

/// Computes Wilder's relative strength index; 0 if the close did not move. Source: TA-Lib's RSI.
pub(super) fn rsi(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    gains_and_losses(prices, p[0], |gain, loss, close| 100.0 * ratio(gain, gain + loss, close, 0.0))
}

/// Computes Chande's momentum oscillator with Wilder's averages; 0 if the close did not move.
/// Source: TA-Lib's CMO.
pub(super) fn cmo(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    gains_and_losses(prices, p[0], |gain, loss, close| 100.0 * ratio(gain - loss, gain + loss, close, 0.0))
}

/// Computes a figure from Wilder's average gain, Wilder's average loss, and the close.
fn gains_and_losses(prices: &OhlcvView, n: usize, figure: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
    let mut gain = Average::wilder(n);
    let mut loss = Average::wilder(n);
    let [mut out] = nan_columns(prices.close.len());
    for (out, pair) in out.iter_mut().skip(1).zip(prices.close.windows(2)) {
        let change = pair[1] - pair[0];
        *out = figure(gain.push(change.max(0.0)), loss.push((-change).max(0.0)), pair[1]);
    }
    out
}

/// The true strength index and its average. The index is the twice averaged change of the close, in
/// percent of the twice averaged absolute change.
pub(super) static TRUE_STRENGTH: Shared = Shared {
    compute: |prices, p| {
        let [mut line, mut signal] = nan_columns(prices.close.len());
        let mut changes = [p[0], p[1]].map(Average::exponential);
        let mut sizes = [p[0], p[1]].map(Average::exponential);
        let mut average = Average::exponential(p[2]);
        for bar in 1..prices.close.len() {
            let change = prices.close[bar] - prices.close[bar - 1];
            let smooth_size = push_through(&mut sizes, change.abs());
            let smooth_change = push_through(&mut changes, change);
            if bar >= true_strength_warm_up(p) {
                line[bar] = 100.0 * ratio(smooth_change, smooth_size, prices.close[bar], 0.0);
                signal[bar] = average.push(line[bar]);
            }
        }
        vec![line, signal]
    },
};

/// Returns the number of bars before the first value of the index.
pub(super) fn true_strength_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] - 1
}

/// Returns the number of bars before the first value of the index's average.
pub(super) fn true_strength_signal_warm_up(p: &[usize]) -> usize {
    true_strength_warm_up(p) + p[2] - 1
}
