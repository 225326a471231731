//! How gains compare with losses.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{Average, columns, push_through, ratio};

/// Wilder's relative strength. Source: TA-Lib's RSI; 0 where nothing moved.
pub(super) fn rsi(prices: &Prices, p: &[usize]) -> Vec<f64> {
    gains_and_losses(prices, p[0], |gain, loss, close| 100.0 * ratio(gain, gain + loss, close, 0.0))
}

/// Chande's momentum with Wilder's averages. Source: TA-Lib's CMO; 0 where nothing moved.
pub(super) fn cmo(prices: &Prices, p: &[usize]) -> Vec<f64> {
    gains_and_losses(prices, p[0], |gain, loss, close| 100.0 * ratio(gain - loss, gain + loss, close, 0.0))
}

/// A function of Wilder's averages of gains and of losses, and of the close.
fn gains_and_losses(prices: &Prices, n: usize, of: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
    let mut gain = Average::wilder(n);
    let mut loss = Average::wilder(n);
    let [mut out] = columns(prices.close.len());
    for (out, pair) in out.iter_mut().skip(1).zip(prices.close.windows(2)) {
        let change = pair[1] - pair[0];
        *out = of(gain.push(change.max(0.0)), loss.push((-change).max(0.0)), pair[1]);
    }
    out
}

/// The true strength index, which is changes averaged twice in percent of their sizes averaged twice; and its average.
pub(super) static TRUE_STRENGTH: Shared = Shared {
    compute: |prices, p| {
        let [mut line, mut signal] = columns(prices.close.len());
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

/// Bars before the line's first value.
pub(super) fn true_strength_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] - 1
}

/// Bars before the signal's first value.
pub(super) fn true_strength_signal_warm_up(p: &[usize]) -> usize {
    true_strength_warm_up(p) + p[2] - 1
}
