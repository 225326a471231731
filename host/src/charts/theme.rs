//! Colours, fonts and lengths of all charts.
//!
//! `plotters` accepts only whole drawing units. The charts use several units per pixel, so that
//! thin candles have equal widths and curves are smooth. Every length is given in pixels and
//! converted by [`units`].

use plotters::prelude::{BLACK, Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

/// Drawing units per pixel.
pub(crate) const UNITS_PER_PIXEL: u32 = 4;

/// Colour of rising prices and of the strategy's curve.
pub(crate) const GREEN: RGBColor = RGBColor(0x1a, 0x8f, 0x6f);
/// Colour of falling prices.
pub(crate) const RED: RGBColor = RGBColor(0xc8, 0x44, 0x3c);
/// Colour of a curve for comparison.
pub(crate) const ORANGE: RGBColor = RGBColor(0xd0, 0x8a, 0x2e);
/// Colour of a less important curve for comparison.
pub(crate) const GREY: RGBColor = RGBColor(0xb3, 0xba, 0xc5);
/// Colour of a marked date.
pub(crate) const PURPLE: RGBColor = RGBColor(0x8a, 0x5c, 0xc2);
/// Colour of grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xe6, 0xe9, 0xee);
/// Colour of the background.
pub(crate) const BACKGROUND: RGBColor = WHITE;

const TEXT: RGBColor = RGBColor(0x4a, 0x53, 0x60);
const TITLE: RGBColor = RGBColor(0x1b, 0x24, 0x30);
const TEXT_PIXELS: f64 = 13.0;
const TITLE_PIXELS: f64 = 20.0;
/// `plotters-svg` divides font sizes by this number, so sizes are multiplied by it first.
const FONT_DIVISOR: f64 = 1.24;

/// Converts pixels to drawing units.
pub(crate) const fn units(pixels: u32) -> u32 {
    pixels * UNITS_PER_PIXEL
}

/// Converts drawing units to pixels.
pub(crate) fn pixels(units: u32) -> f64 {
    f64::from(units) / f64::from(UNITS_PER_PIXEL)
}

/// Converts pixels to a coordinate offset in drawing units.
pub(crate) fn offset(pixels: u32) -> i32 {
    units(pixels).cast_signed()
}

/// Returns the style of labels.
pub(crate) fn label_style() -> TextStyle<'static> {
    text_style(TEXT_PIXELS, FontStyle::Normal, TEXT)
}

/// Returns the style of labels in another colour.
pub(crate) fn colored_label_style(color: RGBColor) -> TextStyle<'static> {
    text_style(TEXT_PIXELS, FontStyle::Normal, color)
}

/// Returns the style of titles.
pub(crate) fn title_style() -> TextStyle<'static> {
    text_style(TITLE_PIXELS, FontStyle::Bold, TITLE)
}

/// Returns the style of a line that is `pixels` wide.
pub(crate) fn line_style(color: RGBColor, pixels: f64) -> ShapeStyle {
    // A width of zero units would make a thin line invisible.
    color.stroke_width((pixels * f64::from(UNITS_PER_PIXEL)).round().max(1.0) as u32)
}

/// Returns a style that draws nothing.
pub(crate) fn invisible() -> ShapeStyle {
    BLACK.mix(0.0).into()
}

fn text_style(pixels: f64, style: FontStyle, color: RGBColor) -> TextStyle<'static> {
    let size = pixels * f64::from(UNITS_PER_PIXEL) * FONT_DIVISOR;
    let mut text_style = TextStyle::from(("sans-serif", size, style).into_font());
    text_style.color = color.to_backend_color();
    text_style
}
