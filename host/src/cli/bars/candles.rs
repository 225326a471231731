//! Merges bars into at most as many candles as fit into a chart.

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, format_bar_time};

/// One candle of a chart: one bar, or several consecutive bars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candle {
    /// Start of the first bar: a date, or a UTC time for intraday bars.
    pub when: String,
    /// Index of the first bar.
    pub first_bar: usize,
    /// Opening price of the first bar.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Closing price of the last bar.
    pub close: f64,
    /// Number of shares traded.
    pub volume: f64,
}

/// Merges bars into at most `max` candles. All candles but the last have the same number of bars.
pub(super) fn candles(bars: &Bars, timeframe: Timeframe, max: usize) -> Vec<Candle> {
    let bars_per_candle = bars.len().div_ceil(max.max(1)).max(1);
    let starts = (0..bars.len()).step_by(bars_per_candle);
    let candle = |start: usize| {
        let part = start..(start + bars_per_candle).min(bars.len());
        Candle {
            when: format_bar_time(bars.time[start], timeframe),
            first_bar: start,
            open: bars.open[start],
            high: bars.high[part.clone()].iter().copied().fold(f64::MIN, f64::max),
            low: bars.low[part.clone()].iter().copied().fold(f64::MAX, f64::min),
            close: bars.close[part.end - 1],
            volume: bars.volume[part].iter().sum(),
        }
    };
    starts.map(candle).collect()
}

/// Formats a price: the smaller it is, the more decimals are shown.
pub(super) fn format_price(price: f64) -> String {
    match price {
        // Ten digits would not fit into the axis of the terminal chart.
        price if price >= 1e7 => format!("{price:.2e}"),
        price if price >= 1000.0 => format!("{price:.0}"),
        price if price >= 1.0 => format!("{price:.2}"),
        price => format!("{price:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candle_of_several_bars_has_their_extremes_and_total_volume() {
        let bars = Bars {
            time: (0..5).map(|day| day * 86_400).collect(),
            open: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            high: vec![2.0, 9.0, 4.0, 5.0, 6.0],
            low: vec![1.0, 2.0, 0.5, 4.0, 5.0],
            close: vec![2.0, 3.0, 4.0, 5.0, 6.0],
            volume: vec![1.0; 5],
            ..Bars::default()
        };
        let candles = candles(&bars, Timeframe::Day1, 2);
        assert_eq!(candles.len(), 2);
        let Candle { open, high, low, close, volume, .. } = candles[0];
        assert_eq!([open, high, low, close, volume], [1.0, 9.0, 0.5, 4.0, 3.0]);
        assert_eq!((candles[1].first_bar, candles[1].when.as_str()), (3, "1970-01-04"));
    }
}
