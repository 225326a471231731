//! Distance of two exponential averages, and the distance's own average.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{Average, columns, percent};

/// Line, signal and histogram as a difference of prices.
///
/// Source: TA-Lib's MACD: the fast average is seeded up to the same bar as the slow one, and the line is shown from the
/// signal's first bar on.
pub(super) static MACD: Shared = Shared {
    compute: |prices, p| {
        let mut lines = converge(prices, p, p[0].abs_diff(p[1]), |fast, slow| fast - slow);
        let hidden = signal_warm_up(p).min(prices.close.len());
        lines[0][..hidden].fill(f64::NAN);
        lines
    },
};

/// Line, signal and histogram in percent of the slow average. Source: TA-Lib's PPO: each average is seeded by its own first values.
pub(super) static PPO: Shared = Shared { compute: |prices, p| converge(prices, p, 0, percent) };

/// Bars before the line's first value.
pub(super) fn line_warm_up(p: &[usize]) -> usize {
    p[0].max(p[1]) - 1
}

/// Bars before the first value of signal and histogram.
pub(super) fn signal_warm_up(p: &[usize]) -> usize {
    line_warm_up(p) + p[2] - 1
}

/// The faster of the two averages starts at bar `fast_start`.
fn converge(prices: &Prices, p: &[usize], fast_start: usize, distance: fn(f64, f64) -> f64) -> Vec<Vec<f64>> {
    let [mut line, mut signal, mut histogram] = columns(prices.close.len());
    let [mut fast, mut slow, mut of_line] = [p[0].min(p[1]), p[0].max(p[1]), p[2]].map(Average::exponential);
    for (bar, &close) in prices.close.iter().enumerate() {
        let slow = slow.push(close);
        if bar < fast_start {
            continue;
        }
        let fast = fast.push(close);
        if bar >= line_warm_up(p) {
            line[bar] = distance(fast, slow);
            signal[bar] = of_line.push(line[bar]);
            histogram[bar] = line[bar] - signal[bar];
        }
    }
    vec![line, signal, histogram]
}
