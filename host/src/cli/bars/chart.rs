//! Bars as candles of a picture: as many as fit, with axes of round numbers.

pub mod svg;
pub mod text;

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, moment};

/// One candle: one bar, or several that had to share the room.
#[derive(Clone, Debug, PartialEq)]
pub struct Candle {
    /// Start of its first bar, as files say it.
    pub when: String,
    /// Its first bar.
    pub first_bar: usize,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Shares traded.
    pub volume: f64,
}

/// At most so many candles, each of equally many bars but for the last.
pub fn candles(bars: &Bars, timeframe: Timeframe, most: usize) -> Vec<Candle> {
    let n_each = bars.len().div_ceil(most.max(1)).max(1);
    let starts = (0..bars.len()).step_by(n_each);
    let candle = |start: usize| {
        let part = start..(start + n_each).min(bars.len());
        Candle {
            when: moment(bars.time[start], timeframe),
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

/// Lowest and highest price, with room where they are the same.
pub fn price_range(candles: &[Candle]) -> (f64, f64) {
    let low = candles.iter().map(|candle| candle.low).fold(f64::MAX, f64::min);
    let high = candles.iter().map(|candle| candle.high).fold(f64::MIN, f64::max);
    if high > low { (low, high) } else { (low * 0.99, low * 1.01) }
}

/// Round numbers within a range, about so many.
pub fn ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let rough = (high - low) / about.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|round| round * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil();
    let ticks = (0..=2 * about).map(|idx| (first + idx as f64) * step);
    ticks.take_while(|tick| *tick <= high).collect()
}

/// A price with as many decimals as its size asks for.
pub fn price(price: f64) -> String {
    match price {
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
    fn candles_of_several_bars_keep_the_extremes_and_all_volume() {
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
        assert_eq!(price_range(&candles), (0.5, 9.0));
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(9.7, 21.2, 5), [10.0, 12.5, 15.0, 17.5, 20.0]);
        assert_eq!(ticks(0.012, 0.031, 4), [0.015, 0.02, 0.025, 0.03]);
    }
}
