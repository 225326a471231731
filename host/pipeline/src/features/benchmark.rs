//! The closes of a benchmark at the bars of a symbol.
//!
//! In: sound bars of both. Out: one close per bar. Invariant: the close is that of a benchmark bar that starts at the
//! same time or earlier, never later.

use crate::bars::Bars;

/// Returns the benchmark's last close at or before each of a symbol's bars; NaN before its first.
pub(super) fn closes(benchmark: &Bars, bars: &Bars) -> Vec<f64> {
    let mut n_known = 0;
    let close = |&time: &i64| {
        while benchmark.time.get(n_known).is_some_and(|&known| known <= time) {
            n_known += 1;
        }
        n_known.checked_sub(1).map_or(f64::NAN, |last| benchmark.close[last])
    };
    bars.time.iter().map(close).collect()
}
