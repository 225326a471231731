//! Colours, fonts and lengths of all charts.
//!
//! `plotters` draws on whole units. A chart is drawn on a grid that is finer than its pixels, so that thin candles keep
//! equal widths and curves stay smooth. Every length is given in pixels and converted by [`units`].

use plotters::prelude::{BLACK, Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

/// Units of the drawing per pixel of the picture.
pub(crate) const UNITS_PER_PIXEL: u32 = 4;

/// A rise of prices, and the line of the strategy.
pub(crate) const GREEN: RGBColor = RGBColor(0x1a, 0x8f, 0x6f);
/// A fall of prices.
pub(crate) const RED: RGBColor = RGBColor(0xc8, 0x44, 0x3c);
/// A line of comparison.
pub(crate) const ORANGE: RGBColor = RGBColor(0xd0, 0x8a, 0x2e);
/// A line of comparison in the background.
pub(crate) const GREY: RGBColor = RGBColor(0xb3, 0xba, 0xc5);
/// A marked date.
pub(crate) const PURPLE: RGBColor = RGBColor(0x8a, 0x5c, 0xc2);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xe6, 0xe9, 0xee);
/// The background.
pub(crate) const BACKGROUND: RGBColor = WHITE;

const TEXT: RGBColor = RGBColor(0x4a, 0x53, 0x60);
const TITLE: RGBColor = RGBColor(0x1b, 0x24, 0x30);
const TEXT_PIXELS: f64 = 13.0;
const TITLE_PIXELS: f64 = 20.0;
/// `plotters-svg` divides the size of a font by this number.
const FONT_DIVISOR: f64 = 1.24;

/// Converts pixels into units of the drawing.
pub(crate) const fn units(pixels: u32) -> u32 {
    pixels * UNITS_PER_PIXEL
}

/// Converts units of the drawing into pixels.
pub(crate) fn pixels(units: u32) -> f64 {
    f64::from(units) / f64::from(UNITS_PER_PIXEL)
}

/// Converts pixels into units of a coordinate.
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

/// Returns a line style; `pixels` is its width.
pub(crate) fn line_style(color: RGBColor, pixels: f64) -> ShapeStyle {
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
