//! Draws charts as SVG with `plotters`.
//!
//! In: values by slot; a slot is a bar or a date. Slots have equal widths, so nights, weekends and
//! holidays leave no gaps. Out: an SVG document with an accessible title. All charts share the
//! axes, ticks, colours and fonts of this module. The document names its fonts and the viewer loads
//! them, so drawing reads no font file.

mod axes;
mod canvas;
mod legend;
mod marker;
pub(crate) mod theme;

pub(crate) use self::{
    axes::{Chart, Panel, Slot, ticks, value_range},
    canvas::{Area, ChartError, Heading, Size, render},
    legend::draw_legend,
    marker::draw_marker,
};
