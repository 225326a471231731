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

/// The chosen label and configuration, with everything that was tried.
#[derive(Clone, Debug)]
pub struct SearchResult {
    /// Index of the chosen label.
    pub label_idx: usize,
    /// Index of the label of median base rate among the labels with a score. It is determined
    /// without comparing scores.
    pub median_label_idx: usize,
    /// Parameters of the chosen configuration that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Out-of-fold scores of the chosen configuration.
    pub oof: OutOfFold,
    /// Out-of-fold scores of the volatility baseline on the chosen label in deviations, one per row
    /// of the table, NaN elsewhere.
    pub baseline: Option<Vec<f32>>,
    /// Score of the chosen configuration; `None` if it is undefined.
    pub score: Option<f64>,
    /// Validation AUC of the chosen configuration; `None` if it is undefined.
    pub auc: Option<f64>,
    /// Validation AUC of the baseline.
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
    /// Returns whether the chosen label has enough rows for a reliable score.
    pub fn is_judged(&self) -> bool {
        self.labels[self.label_idx].status != LabelStatus::TooRare
    }
}
