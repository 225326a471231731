//! Scores of a family's prior: the family's defaults with the job's parameters, before any search.
//!
//! In: a [`SearchContext`] and a family. Out: one score per label of the context, computed like the
//! score of a trial. Tables are prepared once per fold.

use super::{
    baselines::Baselines,
    compare,
    context::{Family, SearchContext},
    fold_fitter::{Configuration, ConfigurationFit, FoldFitter},
    trial_result::fold_contender,
};
use crate::fitter::FitError;

/// Number of labels that are fitted between two progress reports.
const BATCH: usize = 4;

/// The score of a prior on one label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PriorScore {
    /// The validation AUC beyond the baseline.
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

/// Computes the score of the prior on every label of a context, in parallel.
///
/// * `on_done`: receives the number of finished labels.
///
/// # Errors
/// Returns an error if the family's process dies permanently, or if the job is cancelled.
pub(crate) fn prior_scores(
    context: &SearchContext<'_>,
    family: &Family<'_>,
    on_done: &dyn Fn(usize),
) -> Result<Vec<PriorScore>, FitError> {
    let baselines = Baselines::new(context);
    let mut fitter = FoldFitter::new(context, family);
    let label_idxs: Vec<usize> = (0..context.labels.len()).collect();
    let mut scores = Vec::with_capacity(label_idxs.len());
    for label_idxs in label_idxs.chunks(BATCH) {
        let prior = |&label_idx: &usize| Configuration { label_idx, params: family.params.clone() };
        let fits = fitter.fit_all(&label_idxs.iter().map(prior).collect::<Vec<_>>())?;
        let label_fits = label_idxs.iter().zip(fits);
        scores.extend(label_fits.map(|(&label_idx, fit)| prior_score(&baselines, label_idx, fit)));
        on_done(scores.len());
    }
    Ok(scores)
}

fn prior_score(baselines: &Baselines<'_>, label_idx: usize, fit: ConfigurationFit) -> PriorScore {
    let oof = match fit {
        ConfigurationFit::Fitted(oof) => oof,
        ConfigurationFit::Rejected(reason) => return PriorScore::Undefined(reason),
    };
    match compare::excess(&fold_contender(baselines, label_idx, &oof)) {
        Ok(excess) => PriorScore::Scored(excess.score()),
        Err(reason) => PriorScore::Undefined(oof.rejection.unwrap_or_else(|| reason.to_string())),
    }
}
