//! Creates the SVG document: root element, accessible title, background and heading.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::theme;

/// A rectangular part of the chart.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Height of the heading in pixels.
const HEADING_HEIGHT: u32 = 52;
/// Distance of the heading from the left and the right edge in pixels.
const SIDE_MARGIN: u32 = 24;

/// An error of the drawing library.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the chart: {0}")]
pub(crate) struct ChartError(#[from] DrawingAreaErrorKind<io::Error>);

/// Width and height of a chart in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The text above a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// Title, at the left.
    pub title: String,
    /// Details, at the right.
    pub details: String,
}

/// Draws a chart below its heading, and returns the SVG document.
///
/// # Errors
/// Returns [`ChartError`] if the drawing library fails.
pub(crate) fn render(
    size: Size,
    heading: &Heading,
    draw: impl FnOnce(&Area<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let width = theme::units(size.width);
    let height = theme::units(size.height);
    let mut drawing = String::new();
    let root = SVGBackend::with_string(&mut drawing, (width, height)).into_drawing_area();
    root.fill(&theme::BACKGROUND)?;
    let (top, body) = root.split_vertically(theme::units(HEADING_HEIGHT));
    draw_heading(&top, heading)?;
    draw(&body)?;
    root.present()?;
    // The areas borrow `drawing`, so they are dropped before it is read.
    drop((root, top, body));
    Ok(document(size, heading, &drawing))
}

fn draw_heading(area: &Area<'_>, heading: &Heading) -> Result<(), ChartError> {
    let y = theme::offset(HEADING_HEIGHT / 2);
    let (width, _) = area.dim_in_pixel();
    let left = theme::title_style().pos(Pos::new(HPos::Left, VPos::Center));
    let right = theme::label_style().pos(Pos::new(HPos::Right, VPos::Center));
    area.draw_text(&heading.title, &left, (theme::offset(SIDE_MARGIN), y))?;
    area.draw_text(&heading.details, &right, (width.cast_signed() - theme::offset(SIDE_MARGIN), y))?;
    Ok(())
}

/// Replaces the root element that the library wrote. The new one has a size in pixels and a title
/// for screen readers.
fn document(size: Size, heading: &Heading, drawing: &str) -> String {
    // The opening tag of the root element is the first line of the document.
    let (_, body) = drawing.split_once(">\n").unwrap_or(("", "</svg>\n"));
    let Size { width, height } = size;
    let view_box = format!("0 0 {} {}", theme::units(width), theme::units(height));
    let title = escape(&format!("{} – {}", heading.title, heading.details));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{view_box}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n{body}"
    )
}

/// Escapes text for XML content and attributes.
fn escape(text: &str) -> String {
    // `&` is replaced first, because the other replacements insert it.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
