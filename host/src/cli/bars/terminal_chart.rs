//! Draws bars as a text chart for a terminal, 80 columns wide.

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, format_bar_time};

use super::candles::{Candle, candles, format_price};
use crate::charts::{ticks, value_range};

/// Width of the chart in characters.
const WIDTH: usize = 80;
/// Width of the price labels in characters.
const AXIS_WIDTH: usize = 10;
/// Height of the price panel in lines. With the two lines of the axis, the chart fits into a
/// terminal of 24 lines.
const N_LINES: usize = 18;
const MAX_PRICE_LABELS: usize = 6;

/// Draws the bars of one symbol: `│` from low to high, `█` for a falling body, `░` for a rising
/// body.
pub(super) fn draw(bars: &Bars, timeframe: Timeframe) -> String {
    let candles = candles(bars, timeframe, WIDTH - AXIS_WIDTH - 1);
    let (Some(first), Some(&last)) = (candles.first(), bars.time.last()) else { return String::new() };
    let last = format_bar_time(last, timeframe);
    let prices = value_range(candles.iter().flat_map(|candle| [candle.low, candle.high]));
    let height = prices.end - prices.start;
    let line_of = |price: f64| ((prices.end - price) / height * (N_LINES - 1) as f64).round() as usize;
    let mut labels = vec![String::new(); N_LINES];
    for tick in ticks(prices.clone(), MAX_PRICE_LABELS) {
        labels[line_of(tick)] = format_price(tick);
    }
    let mut lines: Vec<String> = Vec::new();
    for (line, label) in labels.iter().enumerate() {
        let mark = if label.is_empty() { '│' } else { '┤' };
        let row: String = candles.iter().map(|candle| character(candle, line, &line_of)).collect();
        lines.push(format!("{label:>AXIS_WIDTH$}{mark}{row}").trim_end().to_owned());
    }
    lines.push(format!("{:>AXIS_WIDTH$}└{}", "", "─".repeat(candles.len())));
    let room = candles.len().saturating_sub(first.when.len());
    lines.push(format!("{:>AXIS_WIDTH$} {}{:>room$}", "", first.when, last_label(&candles, &last, room)));
    lines.join("\n")
}

fn character(candle: &Candle, line: usize, line_of: &impl Fn(f64) -> usize) -> char {
    let body = line_of(candle.open.max(candle.close))..=line_of(candle.open.min(candle.close));
    let wick = line_of(candle.high)..=line_of(candle.low);
    if body.contains(&line) {
        if candle.close < candle.open { '█' } else { '░' }
    } else if wick.contains(&line) {
        '│'
    } else {
        ' '
    }
}

/// Returns the last date, or an empty text if it does not fit next to the first date.
fn last_label<'a>(candles: &[Candle], when: &'a str, room: usize) -> &'a str {
    if candles.len() > 1 && room > when.len() { when } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_fits_into_80_columns_and_shows_its_first_and_last_date() {
        let n_bars = 1000;
        let price: Vec<f64> = (0..n_bars).map(|bar| 100.0 + (f64::from(bar) / 50.0).sin()).collect();
        let bars = Bars {
            time: (0..i64::from(n_bars)).map(|bar| bar * 86_400).collect(),
            open: price.iter().map(|price| price - 0.1).collect(),
            high: price.iter().map(|price| price + 0.2).collect(),
            low: price.iter().map(|price| price - 0.2).collect(),
            volume: vec![1.0; price.len()],
            close: price,
            ..Bars::default()
        };
        let chart = draw(&bars, Timeframe::Day1);
        assert!(chart.lines().all(|line| line.chars().count() <= WIDTH), "{chart}");
        assert_eq!(chart.lines().count(), N_LINES + 2);
        assert!(
            chart.contains("1970-01-01")
                && chart.contains("1972-09-26")
                && chart.contains("100.00┤")
                && chart.contains('█'),
            "{chart}"
        );
        assert_eq!(draw(&Bars::default(), Timeframe::Day1), "");
    }
}
