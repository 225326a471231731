//! Scores of a family's prior on other values of one label.
//!
//! In: a [`SearchContext`], a family, values in place of a label's own. Out: one score per set of
//! values, computed as a trial's is: on the folds of the label itself, less that of the volatility
//! baseline. Tables are prepared once per fold.

use std::sync::Arc;

use super::{
    baselines::baseline_scores,
    compare::{self, Contender},
    context::{Family, SearchContext},
    fold_fitter::{ConfigurationFit, FoldFitter},
};
use crate::{baseline::Volatility, fitter::FitError, labels::Label, splits::Splits};

/// A family's prior on the folds of one label.
pub(crate) struct Prior<'a> {
    fitter: FoldFitter<'a>,
    volatility: Option<Volatility>,
    label: &'a Label,
    splits: &'a Splits,
    label_idx: usize,
}

impl<'a> Prior<'a> {
    /// Returns a prior; nothing is prepared or fitted yet.
    pub(crate) fn new(context: &'a SearchContext<'a>, family: &'a Family<'a>, label_idx: usize) -> Self {
        Self {
            fitter: FoldFitter::new(context, family),
            volatility: Volatility::of(context.table),
            label: &context.labels[label_idx],
            splits: &context.splits[label_idx],
            label_idx,
        }
    }

    /// Computes the score on each of several sets of values, in parallel, or the reason why there
    /// is none.
    ///
    /// * `values`: each with one value per row of the table: 0, 1, or NaN.
    ///
    /// # Errors
    /// If the family's process dies for good, or the job is cancelled.
    pub(crate) fn scores(&mut self, values: Vec<Vec<f32>>) -> Result<Vec<Result<f64, String>>, FitError> {
        let fits = self.fitter.fit_values(self.label_idx, &values)?;
        Ok(values.into_iter().zip(fits).map(|(values, fit)| self.score(values, fit)).collect())
    }

    fn score(&self, values: Vec<f32>, fit: ConfigurationFit) -> Result<f64, String> {
        let oof = match fit {
            ConfigurationFit::Fitted(oof) => oof,
            ConfigurationFit::Refused(reason) => return Err(reason),
        };
        let folds = &self.splits.folds;
        let baseline = self.volatility.as_ref().map(|volatility| baseline_scores(volatility, &values, folds));
        let label = Label {
            value: values,
            forward_return_pct: Arc::clone(&self.label.forward_return_pct),
            known_day: Arc::clone(&self.label.known_day),
            ..*self.label
        };
        let excess = compare::excess(&Contender {
            label: &label,
            groups: folds.iter().map(|fold| fold.valid_rows.as_slice()).collect(),
            scores: &oof.scores,
            baseline: baseline.as_deref(),
        });
        excess.map(|excess| excess.score()).map_err(|reason| oof.refusal.unwrap_or_else(|| reason.to_string()))
    }
}
