//! Creates the tables of the summary, and formats their cells.

use std::fmt::Display;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use oculus_pipeline::metrics::{Finite, Interval};

/// Largest width of a table in characters. Longer texts, such as the reason of a failure, are wrapped.
const MAX_WIDTH: u16 = 200;

/// Largest width of a column in characters.
const MAX_COLUMN_WIDTH: u16 = 100;

/// Text of a cell without a value.
const ABSENT: &str = "–";

/// Creates a table with left-aligned columns.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(MAX_WIDTH);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Left);
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(MAX_COLUMN_WIDTH)));
    }
    table
}

/// Formats a figure with `decimals` decimals.
pub(super) fn number(value: impl Into<Option<Finite>>, decimals: usize) -> String {
    value.into().map_or_else(|| ABSENT.to_owned(), |value| format!("{:.decimals$}", value.get()))
}

/// Formats a figure and its interval with `decimals` decimals, such as `1.25 [1.00, 1.50]`.
pub(super) fn with_interval(value: Option<Finite>, interval: Option<Interval>, decimals: usize) -> String {
    let interval =
        interval.map(|Interval(low, high)| format!(" [{:.decimals$}, {:.decimals$}]", low.get(), high.get()));
    number(value, decimals) + &interval.unwrap_or_default()
}

/// Formats a share in whole percent.
pub(super) fn percent(share: Option<Finite>) -> String {
    share.map_or_else(|| ABSENT.to_owned(), |share| format!("{:.0} %", 100.0 * share.get()))
}

/// Formats a value that may be absent.
pub(super) fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}
