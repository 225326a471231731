//! Draws the legend: the names of lines, in a row above their chart.

use plotters::element::PathElement;
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, ChartError};
use super::theme;

/// Height of the row in pixels.
const HEIGHT: u32 = 20;
/// Distance of the first entry from the left edge in pixels.
const LEFT_MARGIN: u32 = 24;
/// Distance between the starts of two entries in pixels.
const ENTRY_WIDTH: u32 = 230;
/// Length of the sample line of an entry in pixels.
const LINE_WIDTH: u32 = 18;
/// Distance from the start of an entry to its text in pixels.
const TEXT_OFFSET: u32 = 26;

/// Draws the name of each line, and returns the area below the legend.
///
/// # Errors
/// Returns [`ChartError`] if the drawing library fails.
pub(crate) fn draw_legend<'a>(area: &Area<'a>, lines: &[(&str, ShapeStyle)]) -> Result<Area<'a>, ChartError> {
    let (row, rest) = area.split_vertically(theme::units(HEIGHT));
    let text_style = theme::label_style().pos(Pos::new(HPos::Left, VPos::Center));
    let y = theme::offset(HEIGHT / 2);
    let mut x = theme::offset(LEFT_MARGIN);
    for (name, style) in lines {
        row.draw(&PathElement::new([(x, y), (x + theme::offset(LINE_WIDTH), y)], *style))?;
        row.draw_text(name, &text_style, (x + theme::offset(TEXT_OFFSET), y))?;
        x += theme::offset(ENTRY_WIDTH);
    }
    Ok(rest)
}
