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
    /// Names of the features, in the order of the bins.
    pub(crate) features: Vec<String>,
    /// Names of all columns of the table, those for rules included.
    pub(crate) columns: Vec<String>,
    /// For each row the first feature that has no finite value there.
    hole: Vec<Option<u32>>,
}

impl Binned {
    /// Bins a table.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) for a table without model features, a feature name that LightGBM's
    /// text cannot hold, or a row to learn from with a value that is not finite.
    pub(crate) fn new(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let model_features = table.model_features();
        if model_features.is_empty() {
            let n_features = table.n_features();
            return Err(PluginError::data(format!("none of the {n_features} features is for models; needs one")));
        }
        let columns: Vec<_> = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        columns.iter().try_for_each(|name| check_name(name))?;
        let features: Vec<_> = model_features.iter().map(|&idx| columns[idx].clone()).collect();
        let hole = holes(table, &model_features);
        refuse_holes("learn_rows", learn_rows, &hole, &features)?;

        let mut learnt = Dataset::binned(&Matrix::gather(table, &model_features, learn_rows), &params::binning())?;
        learnt.name_features(&features)?;
        let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let chunks = all_rows.chunks(CHUNK_ROWS).map(|rows| Matrix::gather(table, &model_features, rows));
        let rows = learnt.bin_like(table.n_rows(), chunks)?;
        Ok(Self { rows, features, columns, hole })
    }

    /// Refuses rows that have a value which is not finite.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA), naming list, row and feature.
    pub(crate) fn refuse_holes(&self, what: &str, rows: &[u32]) -> Result<()> {
        refuse_holes(what, rows, &self.hole, &self.features)
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

/// For each row the place of the first feature without a finite value.
fn holes(table: &Table<'_>, model_features: &[usize]) -> Vec<Option<u32>> {
    let mut hole = vec![None; table.n_rows()];
    for (place, &feature_idx) in model_features.iter().enumerate() {
        for (hole, value) in hole.iter_mut().zip(table.column(feature_idx)) {
            if !value.is_finite() && hole.is_none() {
                *hole = Some(place as u32);
            }
        }
    }
    hole
}

fn refuse_holes(what: &str, rows: &[u32], hole: &[Option<u32>], features: &[String]) -> Result<()> {
    match rows.iter().find_map(|&row| Some((row, hole[row as usize]?))) {
        None => Ok(()),
        Some((row, place)) => Err(PluginError::data(format!(
            "{what} holds row {row}, where {} has no finite value; leave the row or the feature out",
            features[place as usize]
        ))),
    }
}
