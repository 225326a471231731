//! Scores of a family's prior on other values of one label. The prior is the family's defaults with
//! the job's parameters, before any search.
//!
//! In: a [`SearchContext`], a family, and values that replace the values of a label. Out: one score
//! per set of values, computed like the score of a trial: the AUC on the folds of the label, minus
//! the AUC of the volatility baseline. Tables are prepared once per fold.

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

/// The score of a prior on one set of values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PriorScore {
    /// The mean AUC beyond the baseline.
    Scored(f64),
    /// The reason why there is no score.
    Undefined(String),
}

impl PriorScore {
    /// Returns the score; `None` if it is undefined.
    pub(crate) fn value(&self) -> Option<f64> {
        match self {
            Self::Scored(score) => Some(*score),
            Self::Undefined(_) => None,
        }
    }

    /// Returns the reason why the score is undefined; `None` if it is defined.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Scored(_) => None,
            Self::Undefined(reason) => Some(reason),
        }
    }
}

impl<'a> Prior<'a> {
    /// Returns a prior; nothing is prepared or fitted yet.
    pub(crate) fn new(context: &'a SearchContext<'a>, family: &'a Family<'a>, label_idx: usize) -> Self {
        Self {
            fitter: FoldFitter::new(context, family),
            volatility: Volatility::from_table(context.table),
            label: &context.labels[label_idx],
            splits: &context.splits[label_idx],
            label_idx,
        }
    }

    /// Computes the score on each of several sets of values, in parallel.
    ///
    /// * `values`: sets of values with one value per row of the table: 0, 1, or NaN.
    ///
    /// # Errors
    /// Returns an error if the family's process dies permanently, or if the job is cancelled.
    pub(crate) fn scores(&mut self, values: Vec<Vec<f32>>) -> Result<Vec<PriorScore>, FitError> {
        let fits = self.fitter.fit_values(self.label_idx, &values)?;
        Ok(values.into_iter().zip(fits).map(|(values, fit)| self.score(values, fit)).collect())
    }

    fn score(&self, values: Vec<f32>, fit: ConfigurationFit) -> PriorScore {
        let oof = match fit {
            ConfigurationFit::Fitted(oof) => oof,
            ConfigurationFit::Rejected(reason) => return PriorScore::Undefined(reason),
        };
        let folds = &self.splits.folds;
        let baseline = self.volatility.as_ref().map(|volatility| baseline_scores(volatility, &values, folds));
        // Only the values differ from the real label; returns and dates are shared, not copied.
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
        match excess {
            Ok(excess) => PriorScore::Scored(excess.score()),
            Err(reason) => PriorScore::Undefined(oof.rejection.unwrap_or_else(|| reason.to_string())),
        }
    }
}
