//! The bars of one symbol, their session dates and their hash.

use std::ops::{Range, RangeInclusive};

use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;

use super::session_clock::SessionClock;

/// The bars of one symbol, oldest first; every vector has one entry per bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Ticker.
    pub symbol: String,
    /// Start of each bar, seconds since 1970-01-01 UTC. A daily or weekly bar starts at midnight
    /// UTC of its date. Strictly ascending.
    pub time: Vec<i64>,
    /// First price.
    pub open: Vec<f64>,
    /// Highest price.
    pub high: Vec<f64>,
    /// Lowest price.
    pub low: Vec<f64>,
    /// Last price.
    pub close: Vec<f64>,
    /// Shares traded.
    pub volume: Vec<f64>,
}

impl Bars {
    /// Returns the number of bars.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Returns whether the series is empty.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Returns the session date of each bar, days since 1970-01-01: the date of a daily or weekly
    /// bar, or the date of the session of an intraday bar.
    ///
    /// The sessions of intraday bars are found from the times of all bars, so a part of a series
    /// has the same dates if it shows when the market is closed.
    pub fn session_days(&self, timeframe: Timeframe) -> Vec<i32> {
        SessionClock::find(&self.time, timeframe).days(&self.time)
    }

    /// Returns the bars that start within a span.
    ///
    /// * `span`: first and last time, both included, in seconds since 1970-01-01 UTC.
    pub fn within(&self, span: RangeInclusive<i64>) -> Self {
        let from = self.time.partition_point(|time| time < span.start());
        let to = self.time.partition_point(|time| time <= span.end());
        // An inverted span contains no bars.
        self.part(from..to.max(from))
    }

    /// Computes the SHA-256 over the symbol and all numbers, in lower-case hex.
    pub fn sha256(&self) -> String {
        sha256([self])
    }

    /// Returns the series without its first `n_bars` bars.
    pub(super) fn skip(&self, n_bars: usize) -> Self {
        self.part(n_bars..self.len())
    }

    fn part(&self, bars: Range<usize>) -> Self {
        let part = |values: &[f64]| values[bars.clone()].to_vec();
        Self {
            symbol: self.symbol.clone(),
            time: self.time[bars.clone()].to_vec(),
            open: part(&self.open),
            high: part(&self.high),
            low: part(&self.low),
            close: part(&self.close),
            volume: part(&self.volume),
        }
    }
}

/// Computes the SHA-256 over the symbols and numbers of several series, in lower-case hex. It does
/// not depend on the format of the files.
pub(super) fn sha256<'a>(bars: impl IntoIterator<Item = &'a Bars>) -> String {
    let mut bytes = Vec::new();
    for bars in bars {
        // The lengths precede the values, so that different series cannot produce the same bytes.
        bytes.extend((bars.symbol.len() as u64).to_le_bytes());
        bytes.extend(bars.symbol.as_bytes());
        bytes.extend((bars.len() as u64).to_le_bytes());
        bytes.extend(bars.time.iter().flat_map(|time| time.to_le_bytes()));
        for values in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    sha256_hex(&bytes)
}
