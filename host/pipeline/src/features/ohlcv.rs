//! A view of one symbol's bars, from which features are computed.

use std::hint::select_unpredictable;

/// A view of the prices and volumes of one symbol, one per bar, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct OhlcvView<'a> {
    /// First price.
    pub open: &'a [f64],
    /// Highest price.
    pub high: &'a [f64],
    /// Lowest price.
    pub low: &'a [f64],
    /// Last price.
    pub close: &'a [f64],
    /// Shares traded.
    pub volume: &'a [f64],
    /// Session dates, days since 1970-01-01.
    pub day: &'a [i32],
    /// The benchmark's last close at or before each bar; empty for features without a benchmark.
    pub benchmark: &'a [f64],
}

impl OhlcvView<'_> {
    /// Computes Wilder's true range of a bar other than the first.
    #[inline]
    pub(super) fn true_range(&self, bar: usize) -> f64 {
        let high = self.high[bar];
        let low = self.low[bar];
        let before = self.close[bar - 1];
        (high - low).max((high - before).abs()).max((low - before).abs())
    }

    /// Computes Wilder's movements up and down at a bar other than the first; at least one of the
    /// two is 0.
    #[inline]
    pub(super) fn directional_movement(&self, bar: usize) -> (f64, f64) {
        let up = self.high[bar] - self.high[bar - 1];
        let down = self.low[bar - 1] - self.low[bar];
        // This code has no branch. Which movement is larger is random, so the processor would
        // mispredict a branch half of the time.
        let larger = |one: f64, other: f64| select_unpredictable(one > other && one > 0.0, one, 0.0);
        (larger(up, down), larger(down, up))
    }

    /// Computes the typical price of each bar: the mean of high, low and close.
    pub(super) fn typical(&self) -> Vec<f64> {
        (0..self.close.len()).map(|bar| (self.high[bar] + self.low[bar] + self.close[bar]) / 3.0).collect()
    }
}
