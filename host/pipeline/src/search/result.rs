//! The result of the search.

use oculus_job::warning::Warning;
use serde_json::{Map, Value};

use super::{
    compare::Gain,
    fold_fitter::OutOfFold,
    labels::{LabelRow, LabelStatus},
    trial::Trial,
};
use crate::metrics::UndefinedError;

/// Reason why the fallback label has no meaningful score.
pub(super) const TOO_RARE: &str = "the label is too rare to be evaluated";

/// The chosen label and configuration, with everything that was tried.
#[derive(Clone, Debug)]
pub struct SearchResult {
    /// Index of the chosen label.
    pub label_idx: usize,
    /// Parameters of the chosen configuration that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Out-of-fold scores of the chosen configuration.
    pub oof: OutOfFold,
    /// Out-of-fold scores of the volatility baseline on the chosen label, one per row of the table,
    /// NaN elsewhere.
    pub baseline: Option<Vec<f32>>,
    /// Score of the chosen configuration; `None` if the label is too rare for a score.
    pub score: Option<f64>,
    /// Mean AUC of the baseline over the folds.
    pub baseline_auc: Option<f64>,
    /// Gain of the chosen configuration over the prior, or the reason why the prior was kept.
    pub gain_over_prior: Result<Gain, UndefinedError>,
    /// All trials, in order.
    pub trials: Vec<Trial>,
    /// All labels, in the job's order.
    pub labels: Vec<LabelRow>,
    /// Warnings of the job.
    pub warnings: Vec<Warning>,
}

impl SearchResult {
    /// Returns the reason why the chosen label has no meaningful AUC, if it is too rare.
    pub fn too_rare(&self) -> Option<UndefinedError> {
        let row = &self.labels[self.label_idx];
        (row.status == LabelStatus::TooRare).then(|| UndefinedError::because(format!("{TOO_RARE}: {}", row.reason)))
    }
}
