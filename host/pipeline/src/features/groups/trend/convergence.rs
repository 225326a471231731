//! Computes the distance between two exponential averages, and the average of that distance.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{Average, nan_columns, percent};

/// The line, signal and histogram as differences of prices.
///
/// Source: TA-Lib's MACD. The seeds of the fast and of the slow average end at the same bar. The
/// line has no values before the first bar of the signal.
pub(super) static MACD: Shared = Shared {
    compute: |prices, p| {
        let mut lines = converge(prices, p, p[0].abs_diff(p[1]), |fast, slow| fast - slow);
        let hidden = signal_warm_up(p).min(prices.close.len());
        lines[0][..hidden].fill(f64::NAN);
        lines
    },
};

/// The line, signal and histogram in percent of the slow average.
///
/// Source: TA-Lib's PPO. Each average is seeded by its own first values.
pub(super) static PPO: Shared = Shared { compute: |prices, p| converge(prices, p, 0, percent) };

/// Returns the number of bars before the first value of the line.
pub(super) fn line_warm_up(p: &[usize]) -> usize {
    p[0].max(p[1]) - 1
}

/// Returns the number of bars before the first value of the signal and the histogram.
pub(super) fn signal_warm_up(p: &[usize]) -> usize {
    line_warm_up(p) + p[2] - 1
}

/// Computes line, signal and histogram.
///
/// * `fast_start`: bar at which the faster of the two averages starts.
/// * `distance`: computes the line from the fast and the slow average.
fn converge(prices: &OhlcvView, p: &[usize], fast_start: usize, distance: fn(f64, f64) -> f64) -> Vec<Vec<f64>> {
    let [mut line, mut signal, mut histogram] = nan_columns(prices.close.len());
    let [mut fast, mut slow, mut line_average] = [p[0].min(p[1]), p[0].max(p[1]), p[2]].map(Average::exponential);
    for (bar, &close) in prices.close.iter().enumerate() {
        let slow = slow.push(close);
        if bar < fast_start {
            continue;
        }
        let fast = fast.push(close);
        if bar >= line_warm_up(p) {
            line[bar] = distance(fast, slow);
            signal[bar] = line_average.push(line[bar]);
            histogram[bar] = line[bar] - signal[bar];
        }
    }
    vec![line, signal, histogram]
}
