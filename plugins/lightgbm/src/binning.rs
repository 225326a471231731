//! Makes a table ready: bins from the rows to learn from, the whole table put into them, once.

use oculus_plugin_api::prelude::*;

use crate::engine::Dataset;
use crate::matrix::{CHUNK_ROWS, Matrix};
use crate::params;

/// A table in bins.
///
/// Every row of the table is in it, so that any of them can be fitted on; where the bins lie follows from the rows to
/// learn from alone.
pub struct Binned {
    /// All rows, model features only.
    pub(crate) rows: Dataset,
    /// Names of all columns of the table, those for rules included.
    pub(crate) columns: Vec<String>,
    holes: Holes,
}

impl Binned {
    /// Bins a table.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) for a table without model features, a feature name that LightGBM's
    /// text cannot hold, or a row to learn from with a value that is not finite.
    pub(crate) fn new(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let model_features = table.require_model_features()?;
        let columns: Vec<_> = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        columns.iter().try_for_each(|name| check_name(name))?;
        let features: Vec<_> = model_features.iter().map(|&idx| columns[idx].clone()).collect();
        let holes = Holes::find(table, &model_features);
        holes.refuse("learn_rows", learn_rows)?;

        let mut learnt = Dataset::binned(&Matrix::gather(table, &model_features, learn_rows), &params::binning())?;
        learnt.name_features(&features)?;
        let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let chunks = all_rows.chunks(CHUNK_ROWS).map(|rows| Matrix::gather(table, &model_features, rows));
        let rows = learnt.bin_like(table.n_rows(), chunks)?;
        Ok(Self { rows, columns, holes })
    }

    /// Refuses rows that have a value which is not finite.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA), naming list, row and feature.
    pub(crate) fn refuse_holes(&self, what: &str, rows: &[u32]) -> Result<()> {
        self.holes.refuse(what, rows)
    }
}

/// LightGBM's text separates names by blanks, replaces blanks in names, and refuses what JSON needs.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(PluginError::data(format!("feature name {name:?} needs letters, digits, `_`, `-` and `.` only")));
    }
    Ok(())
}
