//! The family's prior on other values of one label: what its score would be if the label were another.
//!
//! In: a [`Study`], a family, values in place of a label's own. Out: a score each, made as a trial's is: on the folds of
//! the label itself, less that of the volatility baseline. Tables are prepared once a fold, whatever is fitted there.

use std::sync::Arc;

use super::{Bench, Contender, Family, OutOfFold, Study, compare};
use crate::{baseline::Volatility, fitter::FitError, labels::Label};

/// A family's prior on the folds of one label.
pub(crate) struct Prior<'a> {
    bench: Bench<'a>,
    volatility: Option<Volatility>,
    label_idx: usize,
}

impl<'a> Prior<'a> {
    /// Nothing is prepared or fitted yet.
    pub(crate) fn new(study: &'a Study<'a>, family: &'a Family<'a>, label_idx: usize) -> Self {
        Self { bench: Bench::new(study, family), volatility: Volatility::of(study.table), label_idx }
    }

    /// The score on each of several sets of values, side by side; the inner error says why there is none.
    ///
    /// * `values`: each with one value a row of the table: 0, 1, or NaN.
    ///
    /// # Errors
    /// When the family's process dies for good, or the job is cancelled.
    pub(crate) fn scores(&mut self, values: Vec<Vec<f32>>) -> Result<Vec<Result<f64, String>>, FitError> {
        let fitted = self.bench.fit_values(self.label_idx, &values)?;
        let (own, splits) = (&self.bench.study.labels[self.label_idx], &self.bench.study.splits[self.label_idx]);
        let score = |(value, fitted): (Vec<f32>, Result<OutOfFold, String>)| {
            let oof = fitted?;
            let label = Label {
                value,
                forward_return_pct: Arc::clone(&own.forward_return_pct),
                known_day: Arc::clone(&own.known_day),
                ..*own
            };
            let baseline = self.volatility.as_ref();
            let baseline = baseline.map(|it| compare::baseline_scores(it, &label.value, &splits.folds));
            let excess = compare::excess(&Contender {
                label: &label,
                groups: splits.folds.iter().map(|fold| fold.valid_rows.as_slice()).collect(),
                scores: &oof.scores,
                baseline: baseline.as_deref(),
            });
            excess.map(|excess| excess.score()).map_err(|reason| oof.refusal.unwrap_or_else(|| reason.to_string()))
        };
        Ok(values.into_iter().zip(fitted).map(score).collect())
    }
}
