//! Draws bars as an SVG chart: candles above, volume below, suspected splits marked.

use std::ops::Range;

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, SuspectedSplit, format_bar_time};
use plotters::element::PathElement;
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::candles::{Candle, candles, format_price};
use crate::charts::{Area, Chart, ChartError, Heading, Panel, Size, Slot, draw_marker, render, theme, value_range};

/// Size of the chart in pixels.
const SIZE: Size = Size { width: 1200, height: 640 };
/// Height of the price panel in pixels. The area below the heading is 588 pixels high.
const PRICES_HEIGHT: u32 = 430;
/// Maximum number of candles. With 360 candles, a candle and its gap are about three pixels wide.
const MAX_CANDLES: usize = 360;
const MAX_PRICE_LABELS: usize = 8;
/// Width of a candle relative to its slot.
const CANDLE_WIDTH: f64 = 0.7;
const WICK_PIXELS: f64 = 1.0;
const VOLUME_OPACITY: f64 = 0.45;

/// Draws the bars of one symbol as SVG.
///
/// # Errors
/// Returns [`ChartError`] if the drawing library fails.
pub(super) fn draw(bars: &Bars, timeframe: Timeframe, splits: &[SuspectedSplit]) -> Result<String, ChartError> {
    let candles = candles(bars, timeframe, MAX_CANDLES);
    render(SIZE, &heading(bars, timeframe), |area| {
        if candles.is_empty() {
            return Ok(());
        }
        let labels: Vec<String> = candles.iter().map(|candle| slot_label(&candle.when)).collect();
        let (upper, lower) = area.split_vertically(theme::units(PRICES_HEIGHT));
        draw_prices(&upper, &candles, &labels, splits)?;
        draw_volumes(&lower, &candles, &labels)
    })
}

fn heading(bars: &Bars, timeframe: Timeframe) -> Heading {
    let when = |time: Option<&i64>| time.map(|&time| format_bar_time(time, timeframe)).unwrap_or_default();
    let first = when(bars.time.first());
    let last = when(bars.time.last());
    let bars_per_candle = bars.len().div_ceil(MAX_CANDLES).max(1);
    let aggregation = if bars_per_candle > 1 { format!(", {bars_per_candle} bars per candle") } else { String::new() };
    let details = format!("{} · {} bars from {first} to {last}{aggregation}", timeframe.name(), bars.len());
    Heading { title: bars.symbol.clone(), details }
}

/// Shortens a UTC time such as `2024-01-02T14:30:00Z` to `2024-01-02 14:30`.
fn slot_label(when: &str) -> String {
    when.replace('T', " ").replace(":00Z", "")
}

fn draw_prices(
    area: &Area<'_>,
    candles: &[Candle],
    labels: &[String],
    splits: &[SuspectedSplit],
) -> Result<(), ChartError> {
    let panel = Panel {
        slot_labels: labels,
        shows_slot_labels: false,
        values: value_range(candles.iter().flat_map(|candle| [candle.low, candle.high])),
        max_value_labels: MAX_PRICE_LABELS,
        format_value: &format_price,
        value_name: None,
    };
    let mut chart = panel.draw(area)?;
    let body_width = panel.slot_width(&chart) * CANDLE_WIDTH;
    let pixel = panel.pixel_height(&chart);
    for (idx, candle) in candles.iter().enumerate() {
        let color = color(candle);
        let bottom = candle.open.min(candle.close);
        // If open and close are equal, the body would have no height. One pixel keeps it visible.
        let top = candle.open.max(candle.close).max(bottom + pixel);
        draw_bar(&mut chart, idx, candle.low..candle.high, theme::line_style(color, WICK_PIXELS))?;
        draw_bar(&mut chart, idx, bottom..top, theme::line_style(color, body_width))?;
    }
    for SuspectedSplit { bar, old, new } in splits {
        // A candle may merge several bars; the marker is at the candle that contains the first bar
        // after the split.
        let idx = candles.partition_point(|candle| candle.first_bar <= *bar).saturating_sub(1);
        draw_marker(&mut chart, idx, &format!("split {new}:{old}?"))?;
    }
    Ok(())
}

fn draw_volumes(area: &Area<'_>, candles: &[Candle], labels: &[String]) -> Result<(), ChartError> {
    let volumes = candles.iter().map(|candle| candle.volume);
    let panel = Panel {
        slot_labels: labels,
        shows_slot_labels: true,
        // Volumes are compared by height, so their axis starts at zero.
        values: value_range(volumes.chain([0.0])),
        max_value_labels: 0,
        format_value: &|_| String::new(),
        value_name: Some("volume"),
    };
    let mut chart = panel.draw(area)?;
    let width = panel.slot_width(&chart) * CANDLE_WIDTH;
    for (idx, candle) in candles.iter().enumerate() {
        let mut style = theme::line_style(color(candle), width);
        style.color = color(candle).mix(VOLUME_OPACITY);
        draw_bar(&mut chart, idx, 0.0..candle.volume, style)?;
    }
    Ok(())
}

/// Draws a wick, a body or a volume as a vertical line with the width of `style`.
fn draw_bar(chart: &mut Chart<'_>, idx: usize, values: Range<f64>, style: ShapeStyle) -> Result<(), ChartError> {
    let ends = [(Slot::CenterOf(idx), values.end), (Slot::CenterOf(idx), values.start)];
    chart.draw_series([PathElement::new(ends, style)])?;
    Ok(())
}

fn color(candle: &Candle) -> RGBColor {
    if candle.close < candle.open { theme::RED } else { theme::GREEN }
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    /// Returns daily bars of a falling price. In the second bar, open and close are equal.
    fn bars(n_bars: usize) -> Bars {
        let open: Vec<f64> = (0..n_bars).map(|bar| 100.0 - 0.1 * bar as f64).collect();
        let close = open.iter().enumerate().map(|(bar, open)| if bar == 1 { *open } else { open - 0.05 }).collect();
        Bars {
            symbol: "A&<B>".to_owned(),
            time: (0..n_bars as i64).map(|bar| bar * 86_400).collect(),
            high: open.iter().map(|open| open + 0.2).collect(),
            low: open.iter().map(|open| open - 0.2).collect(),
            volume: vec![1e6; n_bars],
            open,
            close,
        }
    }

    fn texts<'a>(chart: &'a Document<'_>) -> Vec<&'a str> {
        chart
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .map(str::trim)
            .collect()
    }

    /// Returns the heights, in drawing units, of all lines of a colour: wicks, bodies and volumes.
    fn heights(chart: &Document<'_>, color: &str) -> Vec<i32> {
        let lines = chart.descendants().filter(|node| node.attribute("stroke") == Some(color));
        let y = |point: &str| point.split_once(',').unwrap().1.parse::<i32>().unwrap();
        let height = |points: &str| {
            let ends: Vec<i32> = points.split_whitespace().map(y).collect();
            (ends[0] - ends[1]).abs()
        };
        lines.map(|line| height(line.attribute("points").unwrap())).collect()
    }

    #[test]
    fn every_bar_has_a_wick_a_visible_body_a_volume_and_a_date() {
        let svg = draw(&bars(5), Timeframe::Day1, &[]).unwrap();
        let chart = Document::parse(&svg).unwrap();
        let texts = texts(&chart);
        for date in ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05"] {
            assert!(texts.contains(&date), "{date}: {texts:?}");
        }
        for (color, n_candles) in [("#C8443C", 4), ("#1A8F6F", 1)] {
            let heights = heights(&chart, color);
            assert_eq!(heights.len(), 3 * n_candles, "lines in {color}");
            assert!(heights.iter().all(|height| *height >= theme::offset(1) - 1), "{heights:?}");
        }
    }

    #[test]
    fn the_title_is_escaped_and_the_heading_states_the_aggregation() {
        let svg = draw(&bars(1000), Timeframe::Day1, &[]).unwrap();
        let chart = Document::parse(&svg).unwrap();
        let title = chart.descendants().find(|node| node.has_tag_name("title")).and_then(|node| node.text());
        assert_eq!(title, chart.root_element().attribute("aria-label"));
        assert!(title.unwrap().starts_with("A&<B> – "), "{title:?}");
        assert_eq!(texts(&chart)[..2], ["A&<B>", "1d · 1000 bars from 1970-01-01 to 1972-09-26, 3 bars per candle"]);
    }

    #[test]
    fn a_suspected_split_is_marked() {
        let split = SuspectedSplit { bar: 3, old: 1, new: 2 };
        let svg = draw(&bars(5), Timeframe::Day1, &[split]).unwrap();
        let chart = Document::parse(&svg).unwrap();
        assert!(texts(&chart).contains(&"split 2:1?"));
    }

    #[test]
    fn a_flat_price_and_an_empty_series_can_be_drawn() {
        let price = || vec![1.0];
        let prices = Bars { open: price(), high: price(), low: price(), close: price(), ..Bars::default() };
        let flat = Bars { time: vec![0], volume: vec![0.0], ..prices };
        for bars in [Bars::default(), flat] {
            let svg = draw(&bars, Timeframe::Day1, &[]).unwrap();
            assert!(Document::parse(&svg).is_ok() && !svg.contains("NaN"), "{svg}");
        }
    }
}
