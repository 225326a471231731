//! Draws the axes of a panel: slots from left to right, values from bottom to top. `plotters`
//! chooses the ticks.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{IntoSegmentedCoord, Ranged, SegmentValue, SegmentedCoord};
use plotters::coord::types::{RangedCoordf64, RangedCoordusize};
use plotters::prelude::SVGBackend;

use super::canvas::{Area, ChartError};
use super::theme;

/// A position on the axis of slots.
pub(crate) type Slot = SegmentValue<usize>;
/// A panel with its axes, onto which series are drawn.
pub(crate) type Chart<'a> =
    ChartContext<'a, SVGBackend<'a>, Cartesian2d<SegmentedCoord<RangedCoordusize>, RangedCoordf64>>;

/// Maximum number of slot labels. A label with a time of day is 110 pixels wide.
const MAX_SLOT_LABELS: usize = 8;
/// Width of the left margin in pixels, enough for half of the first slot label.
const LEFT_MARGIN: u32 = 60;
/// Width of the value labels in pixels.
const VALUE_LABELS_WIDTH: u32 = 80;
/// Height of the slot labels in pixels.
const SLOT_LABELS_HEIGHT: u32 = 36;
/// Length of a tick mark in pixels. `plotters` places labels at twice this distance from the axis.
const TICK_LENGTH: u32 = 5;
/// Margin above, below and to the right of a panel, in pixels.
const GAP: u32 = 8;
/// Smallest width of a range relative to its values. In a narrower range, the labels of ticks would
/// be equal.
const MIN_RELATIVE_WIDTH: f64 = 1e-6;

/// The axes of a panel.
pub(crate) struct Panel<'a> {
    /// One label per slot.
    pub slot_labels: &'a [String],
    /// True if slot labels are shown. A panel hides its slot labels if the panel below it has the
    /// same slots.
    pub shows_slot_labels: bool,
    /// Lowest and highest value of the axis.
    pub values: Range<f64>,
    /// Maximum number of value labels.
    pub max_value_labels: usize,
    /// Formats the label of a value.
    pub format_value: &'a dyn Fn(f64) -> String,
    /// Name of the value axis.
    pub value_name: Option<&'a str>,
}

impl Panel<'_> {
    /// Draws the grid and the labels, and returns the chart onto which series are drawn.
    ///
    /// # Errors
    /// Returns [`ChartError`] if the drawing library fails.
    pub(crate) fn draw<'a>(&self, area: &Area<'a>) -> Result<Chart<'a>, ChartError> {
        let mut builder = ChartBuilder::on(area);
        builder.margin(theme::units(GAP)).margin_left(theme::units(LEFT_MARGIN));
        builder.set_label_area_size(LabelAreaPosition::Right, theme::units(VALUE_LABELS_WIDTH));
        if self.shows_slot_labels {
            builder.set_label_area_size(LabelAreaPosition::Bottom, theme::units(SLOT_LABELS_HEIGHT));
        }
        // `plotters` includes the end of a range of slots, although Rust's `..` does not.
        let slots = (0..self.n_slots() - 1).into_segmented();
        let mut chart = builder.build_cartesian_2d(slots, self.values.clone())?;
        let mut mesh = chart.configure_mesh();
        if let Some(name) = self.value_name {
            mesh.y_desc(name);
        }
        let format_slot = |slot: &Slot| self.slot_label(slot);
        let format_value = |value: &f64| (self.format_value)(*value);
        mesh.bold_line_style(theme::line_style(theme::GRID, 1.0))
            .light_line_style(theme::invisible())
            .max_light_lines(1)
            .axis_style(theme::invisible())
            .label_style(theme::label_style())
            .set_all_tick_mark_size(theme::units(TICK_LENGTH))
            .x_labels(MAX_SLOT_LABELS)
            .x_label_formatter(&format_slot)
            .y_labels(self.max_value_labels)
            .y_label_formatter(&format_value)
            .draw()?;
        Ok(chart)
    }

    /// Returns the width of a slot in pixels.
    pub(crate) fn slot_width(&self, chart: &Chart<'_>) -> f64 {
        let (width, _) = chart.plotting_area().dim_in_pixel();
        theme::pixels(width) / self.n_slots() as f64
    }

    /// Returns the difference in value that one pixel of height represents.
    pub(crate) fn pixel_height(&self, chart: &Chart<'_>) -> f64 {
        let (_, height) = chart.plotting_area().dim_in_pixel();
        (self.values.end - self.values.start) / theme::pixels(height)
    }

    /// Returns the number of slots on the axis: at least two, because `plotters` cannot place a
    /// single slot.
    fn n_slots(&self) -> usize {
        self.slot_labels.len().max(2)
    }

    fn slot_label(&self, slot: &Slot) -> String {
        let idx = match slot {
            SegmentValue::Exact(idx) | SegmentValue::CenterOf(idx) => *idx,
            SegmentValue::Last => return String::new(),
        };
        self.slot_labels.get(idx).cloned().unwrap_or_default()
    }
}

/// Returns the range of the finite values, widened if they are nearly equal.
pub(crate) fn value_range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    // Without any finite value, the axis still needs a range.
    if low > high {
        return 0.0..1.0;
    }
    if high - low > MIN_RELATIVE_WIDTH * high.abs().max(low.abs()) {
        return low..high;
    }
    let margin = if high == 0.0 { 1.0 } else { 0.01 * high.abs() };
    low - margin..high + margin
}

/// Returns at most `max` round values within a range.
pub(crate) fn ticks(values: Range<f64>, max: usize) -> Vec<f64> {
    let range = values.start..=values.end;
    let mut ticks = RangedCoordf64::from(values).key_points(max);
    // `plotters` rounds its ticks, which may move the outer ones out of the range.
    ticks.retain(|tick| range.contains(tick));
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_values_within_the_range() {
        assert_eq!(ticks(9.7..21.2, 6), [10.0, 12.0, 14.0, 16.0, 18.0, 20.0]);
        assert_eq!(ticks(0.012..0.031, 4), [0.015, 0.02, 0.025, 0.03]);
    }

    #[test]
    fn a_range_of_values_is_finite_and_never_empty() {
        assert_eq!(value_range([2.0, f64::NAN, 1.0, f64::INFINITY].into_iter()), 1.0..2.0);
        assert_eq!(value_range([0.0].into_iter()), -1.0..1.0);
        assert_eq!(value_range([-100.0, -100.0].into_iter()), -101.0..-99.0);
        assert_eq!(value_range(std::iter::empty()), 0.0..1.0);
    }
}
