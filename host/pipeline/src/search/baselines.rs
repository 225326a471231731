//! Out-of-fold scores of the volatility baseline.

use std::cell::OnceCell;

use super::context::SearchContext;
use crate::{
    baseline::Volatility,
    metrics::ScoreScale,
    search::row_scores::{merge_rows, separate_scores},
    splits::Fold,
};

/// The baseline's scores on every label. They depend only on the label, so they are computed once
/// per label, when first needed.
pub(crate) struct Baselines<'a> {
    pub(super) context: &'a SearchContext<'a>,
    volatility: Option<Volatility>,
    scores: Vec<OnceCell<Option<Vec<f32>>>>,
}

impl<'a> Baselines<'a> {
    /// Reads the baseline's features; nothing is fitted yet.
    pub(super) fn new(context: &'a SearchContext<'a>) -> Self {
        let scores = context.labels.iter().map(|_| OnceCell::new()).collect();
        Self { context, volatility: Volatility::from_table(context.table), scores }
    }

    /// Returns the scores on a label, one per row of the table; `None` if the table lacks the
    /// baseline's features.
    pub(super) fn scores(&self, label_idx: usize) -> Option<&[f32]> {
        let label = &self.context.labels[label_idx];
        let folds = &self.context.splits[label_idx].folds;
        let fit = || Some(baseline_scores(self.volatility.as_ref()?, &label.value, folds));
        self.scores[label_idx].get_or_init(fit).as_deref()
    }
}

/// Fits the baseline on the training rows of each fold and scores the fold's validation rows.
/// Returns one score per row of the table, NaN outside the validation rows. Like the scores of the
/// families, the scores of a fold are in deviations of the scores of its training rows.
///
/// * `label`: one value per row of the table.
pub(super) fn baseline_scores(volatility: &Volatility, label: &[f32], folds: &[Fold]) -> Vec<f32> {
    let mut scores = vec![f32::NAN; label.len()];
    for fold in folds {
        let rows = merge_rows(&fold.train_rows, &fold.valid_rows);
        // A regression cannot be fitted to training rows of a single class. The scores of such a
        // fold stay NaN, so the fold has no baseline.
        let Some(fold_scores) = volatility.scores(label, &fold.train_rows, &rows) else { continue };
        let fold_scores = separate_scores(&rows, &fold_scores, &fold.valid_rows);
        let scale = ScoreScale::from_scores(&fold_scores.others);
        for (&row, score) in fold.valid_rows.iter().zip(fold_scores.selected) {
            scores[row as usize] = scale.standardise(score);
        }
    }
    scores
}
