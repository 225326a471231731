//! A fitted configuration with its out-of-fold scores, for comparison with other configurations.

use serde_json::{Map, Value};

use super::{
    baselines::Baselines,
    compare::{Contender, Excess},
    fold_fitter::OutOfFold,
};

/// A configuration that was fitted on the folds of a label.
#[derive(Clone, Debug)]
pub(crate) struct TrialResult {
    pub(super) label_idx: usize,
    pub(super) params: Map<String, Value>,
    pub(super) oof: OutOfFold,
    /// `None` if the AUC of the scores is undefined.
    pub(super) excess: Option<Excess>,
}

impl TrialResult {
    /// Returns the score: the AUC beyond the baseline.
    pub(super) fn score(&self) -> Option<f64> {
        self.excess.map(|excess| excess.score())
    }

    /// Returns the AUC of the baseline.
    pub(super) fn baseline_auc(&self) -> Option<f64> {
        self.excess.and_then(|excess| excess.baseline_auc)
    }

    /// Returns the out-of-fold scores for a paired comparison.
    pub(super) fn contender<'a>(&'a self, baselines: &'a Baselines<'a>) -> Contender<'a> {
        fold_contender(baselines, self.label_idx, &self.oof)
    }
}

/// Returns the pooled out-of-fold scores on a label together with the baseline's scores.
pub(super) fn fold_contender<'a>(baselines: &'a Baselines<'a>, label_idx: usize, oof: &'a OutOfFold) -> Contender<'a> {
    let context = baselines.context;
    Contender {
        label: &context.labels[label_idx],
        rows: &context.splits[label_idx].valid_rows,
        scores: &oof.standard_scores,
        baseline: baselines.scores(label_idx),
    }
}
