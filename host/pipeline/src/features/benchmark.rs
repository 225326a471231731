//! Aligns the closes of a benchmark with the bars of a symbol.
//!
//! In: valid bars of the benchmark and of the symbol. Out: one close per bar of the symbol.
//! Invariant: each close is from a benchmark bar that does not start later than the symbol's bar.

use crate::bars::Bars;

/// Returns the benchmark's last close at or before each bar of a symbol; NaN before the benchmark's
/// first bar.
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
