//! The numbers that features of one symbol are computed from.

use std::hint::select_unpredictable;

/// The numbers of one symbol, one per bar, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Prices<'a> {
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
    /// The benchmark's last close at or before each bar; empty for features without one.
    pub benchmark: &'a [f64],
}

impl Prices<'_> {
    /// Computes Wilder's true range of any bar but the first.
    #[inline]
    pub(super) fn true_range(&self, bar: usize) -> f64 {
        let high = self.high[bar];
        let low = self.low[bar];
        let before = self.close[bar - 1];
        (high - low).max((high - before).abs()).max((low - before).abs())
    }

    /// Computes Wilder's movement up and down of any bar but the first; at most one of them is not 0.
    #[inline]
    pub(super) fn directional_movement(&self, bar: usize) -> (f64, f64) {
        let up = self.high[bar] - self.high[bar - 1];
        let down = self.low[bar - 1] - self.low[bar];
        // Which of them is larger cannot be guessed: a branch would be wrong every other time.
        let larger = |one: f64, other: f64| select_unpredictable(one > other && one > 0.0, one, 0.0);
        (larger(up, down), larger(down, up))
    }

    /// Mean of high, low and close of each bar.
    pub(super) fn typical(&self) -> Vec<f64> {
        (0..self.close.len()).map(|bar| (self.high[bar] + self.low[bar] + self.close[bar]) / 3.0).collect()
    }
}
