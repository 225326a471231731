//! Inputs of the search and of the model stage.

use serde_json::{Map, Value};

use crate::{features::FeatureTable, fitter::Fitter, labels::Label, splits::Splits};

/// Features, labels and splits of a job.
#[derive(Clone, Copy)]
pub struct SearchContext<'a> {
    /// Features of all rows.
    pub table: &'a FeatureTable,
    /// All labels of the job, at least one.
    pub labels: &'a [Label],
    /// The splits of each label.
    pub splits: &'a [Splits],
    /// Seed of all random numbers.
    pub seed: u64,
    /// Number of parallel fits. This number does not change a byte of the result.
    pub n_parallel: usize,
}

/// A model family with the settings of a job.
#[derive(Clone, Copy)]
pub struct Family<'a> {
    /// The family, opened on the feature table.
    pub fitter: &'a dyn Fitter,
    /// Parameters that the job sets, by the family's own names.
    pub params: &'a Map<String, Value>,
    /// Device to fit on, or `auto`.
    pub device: &'a str,
}
