//! Draws a labelled vertical line that marks one slot.

use plotters::element::{EmptyElement, Text};
use plotters::series::DashedLineSeries;

use super::axes::{Chart, Slot};
use super::canvas::ChartError;
use super::theme;

/// Length of a dash in pixels.
const DASH_PIXELS: u32 = 4;
/// Length of the space between dashes in pixels.
const SPACE_PIXELS: u32 = 3;
/// Distance between the line and its label in pixels.
const LABEL_DISTANCE: u32 = 5;

/// Draws a dashed line over the height of a chart, with a label to the right of its upper end.
///
/// # Errors
/// Returns [`ChartError`] if the drawing library fails.
pub(crate) fn draw_marker(chart: &mut Chart<'_>, slot_idx: usize, label: &str) -> Result<(), ChartError> {
    let values = chart.y_range();
    let slot = Slot::CenterOf(slot_idx);
    let ends = [(slot.clone(), values.start), (slot.clone(), values.end)];
    let style = theme::line_style(theme::PURPLE, 1.0);
    chart.draw_series(DashedLineSeries::new(ends, theme::units(DASH_PIXELS), theme::units(SPACE_PIXELS), style))?;
    let text =
        Text::new(label.to_owned(), (theme::offset(LABEL_DISTANCE), 0), theme::colored_label_style(theme::PURPLE));
    chart.draw_series(std::iter::once(EmptyElement::at((slot, values.end)) + text))?;
    Ok(())
}
