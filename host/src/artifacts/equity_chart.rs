//! Draws the equity curves of a strategy as an SVG chart: the strategy, the market at equal
//! exposure, and the market held at all times. A marker shows the start of the test.
//!
//! Every curve starts at 1 in the development period and again in the test period, so its growth in
//! the two periods is comparable.

use oculus_pipeline::date::iso_date;
use oculus_pipeline::strategy::EquityPoint;
use plotters::series::LineSeries;
use plotters::style::{RGBColor, ShapeStyle};

use crate::charts::{
    Area, Chart, ChartError, Heading, Panel, Size, Slot, draw_legend, draw_marker, render, theme, value_range,
};

/// Size of the chart in pixels.
const SIZE: Size = Size { width: 1200, height: 520 };
const MAX_VALUE_LABELS: usize = 7;
/// Values that the axis always includes, so that a flat curve does not look steep.
const MIN_VALUE_RANGE: [f64; 2] = [0.99, 1.01];
/// Smallest range of values at which labels with two decimals differ from each other.
const WIDE_RANGE: f64 = 0.1;

/// A curve of the chart.
struct Curve {
    name: &'static str,
    color: RGBColor,
    /// Width of the line in pixels.
    width: f64,
    value: fn(&EquityPoint) -> f64,
}

impl Curve {
    fn style(&self) -> ShapeStyle {
        theme::line_style(self.color, self.width)
    }
}

/// The curves in drawing order. The strategy is drawn last, so no other curve covers it.
const CURVES: [Curve; 3] = [
    Curve { name: "always in", color: theme::GREY, width: 1.2, value: |point| point.always_in },
    Curve { name: "market at equal exposure", color: theme::ORANGE, width: 1.4, value: |point| point.buy_and_hold },
    Curve { name: "strategy", color: theme::GREEN, width: 2.0, value: |point| point.strategy },
];

/// Draws the equity curves, with one point per date, as SVG.
///
/// # Errors
/// Returns [`ChartError`] if the drawing library fails.
pub(super) fn draw(equity: &[EquityPoint]) -> Result<String, ChartError> {
    render(SIZE, &heading(equity), |area| if equity.is_empty() { Ok(()) } else { draw_curves(area, equity) })
}

fn heading(equity: &[EquityPoint]) -> Heading {
    let details = match equity {
        [first, .., last] => format!("{} dates from {} to {}", equity.len(), iso_date(first.day), iso_date(last.day)),
        [only] => iso_date(only.day),
        [] => "no dates".to_owned(),
    };
    Heading { title: "Growth of 1, development and test".to_owned(), details }
}

fn draw_curves(area: &Area<'_>, equity: &[EquityPoint]) -> Result<(), ChartError> {
    let dates: Vec<String> = equity.iter().map(|point| iso_date(point.day)).collect();
    let values = equity.iter().flat_map(|point| CURVES.iter().map(|curve| (curve.value)(point)));
    let values = value_range(values.chain(MIN_VALUE_RANGE));
    let n_decimals = if values.end - values.start < WIDE_RANGE { 3 } else { 2 };
    let panel = Panel {
        slot_labels: &dates,
        shows_slot_labels: true,
        values,
        max_value_labels: MAX_VALUE_LABELS,
        format_value: &|value| format!("{value:.n_decimals$}"),
        value_name: None,
    };
    // The names are in reverse drawing order, so the strategy is the first one.
    let legend: Vec<(&str, ShapeStyle)> = CURVES.iter().rev().map(|curve| (curve.name, curve.style())).collect();
    let mut chart = panel.draw(&draw_legend(area, &legend)?)?;
    let test_start = equity.partition_point(|point| !point.is_test);
    for curve in &CURVES {
        draw_curve(&mut chart, curve, equity, test_start)?;
    }
    if test_start < equity.len() {
        draw_marker(&mut chart, test_start, "test")?;
    }
    Ok(())
}

/// Draws a curve as two lines, one per period. The curve starts at 1 again in the test period, so a
/// line between the periods would show a false return.
fn draw_curve(
    chart: &mut Chart<'_>,
    curve: &Curve,
    equity: &[EquityPoint],
    test_start: usize,
) -> Result<(), ChartError> {
    let point = |idx: usize| (Slot::CenterOf(idx), (curve.value)(&equity[idx]));
    chart.draw_series(LineSeries::new((0..test_start).map(point), curve.style()))?;
    chart.draw_series(LineSeries::new((test_start..equity.len()).map(point), curve.style()))?;
    Ok(())
}
