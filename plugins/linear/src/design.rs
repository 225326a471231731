//! The standardised and clipped features of selected rows.

use oculus_plugin_api::{Input, Result, Table};

/// Returns one column per feature, with one value per row, in deviations from the mean and at most
/// `clip` deviations from it.
///
/// # Errors
/// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table lacks a feature.
pub(crate) fn columns(table: &Table<'_>, inputs: &[Input], rows: &[u32], clip: f64) -> Result<Vec<Vec<f64>>> {
    inputs.iter().map(|input| Ok(clipped(input, table, rows, clip)?.collect())).collect()
}

/// Returns the values of one feature. The value of a row with a missing value is NaN.
///
/// # Errors
/// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table lacks the feature.
pub(crate) fn clipped<'t>(
    input: &'t Input,
    table: &Table<'t>,
    rows: &'t [u32],
    clip: f64,
) -> Result<impl Iterator<Item = f64> + 't> {
    // `clamp` leaves NaN unchanged.
    Ok(input.values(table, rows)?.map(move |value| value.clamp(-clip, clip)))
}
