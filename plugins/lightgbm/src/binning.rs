//! Prepares a table for fitting: computes bin boundaries from the training rows and bins every row
//! once.

use oculus_plugin_api::prelude::*;

use crate::engine::Dataset;
use crate::matrix::{CHUNK_ROWS, Matrix};
use crate::params;

/// A binned table.
///
/// The binned table contains every row of the original table, so any row can be used in a fit. The
/// bin boundaries depend only on the rows passed as `learn_rows`.
pub struct Binned {
    /// All rows of the table, with the columns of the model features only.
    pub(crate) rows: Dataset,
    /// Names of all columns of the table, including columns for rules.
    pub(crate) columns: Vec<String>,
    /// Positions of the missing values.
    missing: MissingValues,
}

impl Binned {
    /// Bins a table, with bin boundaries from `learn_rows`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table has no model features, if
    /// a name cannot be stored in LightGBM's model text, or if a row of `learn_rows` has a value
    /// that is not finite.
    pub(crate) fn new(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let model_features = table.require_model_features()?;
        let columns: Vec<_> = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        // Columns for rules are checked as well, because the model text lists the names of all
        // columns.
        columns.iter().try_for_each(|name| check_name(name))?;
        let features: Vec<_> = model_features.iter().map(|&idx| columns[idx].clone()).collect();
        let missing = MissingValues::find(table, &model_features);
        missing.reject("learn_rows", learn_rows)?;

        let mut learned = Dataset::binned(&Matrix::gather(table, &model_features, learn_rows), &params::binning())?;
        learned.name_features(&features)?;
        let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let chunks = all_rows.chunks(CHUNK_ROWS).map(|rows| Matrix::gather(table, &model_features, rows));
        let rows = learned.bin_like(table.n_rows(), chunks)?;
        Ok(Self { rows, columns, missing })
    }

    /// Checks that every value of `rows` is finite. The error message calls these rows `list`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if a value is not finite. The message
    /// names the list, the row and the feature of the first such value.
    pub(crate) fn reject_missing_values(&self, list: &str, rows: &[u32]) -> Result<()> {
        self.missing.reject(list, rows)
    }
}

/// Checks that LightGBM's model text can store a name unchanged. The text separates names with
/// spaces. LightGBM replaces spaces inside names, and rejects characters that have a meaning in
/// JSON.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(PluginError::data(format!(
            "invalid feature name {name:?}: expected only letters, digits, `_`, `-` and `.`"
        )));
    }
    Ok(())
}
