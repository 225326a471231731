//! Prepares a table for fitting: computes bin boundaries from the rows to learn from, and bins these
//! rows once.

use std::ffi::CStr;
use std::sync::OnceLock;

use oculus_plugin_api::prelude::*;

use crate::engine::Dataset;
use crate::matrix::{CHUNK_ROWS, Matrix};
use crate::params;

/// A binned table.
///
/// The bin boundaries depend only on the rows passed as `learn_rows`. These rows are binned at once,
/// since fits rarely use others; if a fit does, all rows of the table are binned.
pub struct Binned<'a> {
    /// The binned `learn_rows`, with the columns of the model features only.
    learned: Dataset,
    /// Rows of the table that `learned` contains, ascending.
    learn_rows: Vec<u32>,
    /// All rows of the table, binned when first needed.
    all: OnceLock<Dataset>,
    table: Table<'a>,
    /// Columns of the model features.
    model_features: Vec<usize>,
    /// Names of all columns of the table, including columns for rules.
    pub(crate) columns: Vec<String>,
    /// Positions of the missing values.
    missing: MissingValues,
}

impl<'a> Binned<'a> {
    /// Bins a table, with bin boundaries from `learn_rows`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table has no model features, or
    /// if a row of `learn_rows` has a value that is not finite.
    pub(crate) fn new(table: Table<'a>, learn_rows: &[u32]) -> Result<Self> {
        let model_features = table.require_model_features()?;
        let columns: Vec<_> = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        // LightGBM refuses some characters in names, and its model text separates names with spaces.
        let features: Vec<_> = model_features.iter().map(|&idx| escape_name(&columns[idx])).collect();
        let missing = MissingValues::find(&table, &model_features);
        missing.reject("learn_rows", learn_rows)?;

        let mut learned = Dataset::binned(&Matrix::gather(&table, &model_features, learn_rows), &params::binning())?;
        learned.name_features(&features)?;
        let learn_rows = learn_rows.to_vec();
        Ok(Self { learned, learn_rows, all: OnceLock::new(), table, model_features, columns, missing })
    }

    /// Copies the binned values of `rows`, which must ascend, and sets their labels.
    ///
    /// * `label`: one value per row of the table.
    pub(crate) fn labelled_subset(&self, rows: &[u32], label: &[f32], settings: &CStr) -> Result<Dataset> {
        let labels: Vec<f32> = rows.iter().map(|&row| label[row as usize]).collect();
        match self.positions(rows) {
            Some(positions) => self.learned.labelled_subset(&positions, &labels, settings),
            None => self.all()?.labelled_subset(rows, &labels, settings),
        }
    }

    /// Returns the positions of some rows in `learn_rows`; `None` if a row is not contained.
    fn positions(&self, rows: &[u32]) -> Option<Vec<u32>> {
        let position = |row: &u32| self.learn_rows.binary_search(row).ok().map(|position| position as u32);
        rows.iter().map(position).collect()
    }

    /// Returns all rows of the table, and bins them if that was not done before.
    fn all(&self) -> Result<&Dataset> {
        if let Some(all) = self.all.get() {
            return Ok(all);
        }
        let rows: Vec<u32> = (0..self.table.n_rows() as u32).collect();
        let chunks = rows.chunks(CHUNK_ROWS).map(|rows| Matrix::gather(&self.table, &self.model_features, rows));
        let binned = self.learned.bin_like(self.table.n_rows(), chunks)?;
        // If another thread was faster, its equal dataset is kept.
        Ok(self.all.get_or_init(|| binned))
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
