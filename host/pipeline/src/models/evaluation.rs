//! Evaluates all families except the lead: each is fitted on every fold, and its scores are compared
//! with the lead's scores of the same rows.

use oculus_job::{error::JobError, progress::Phase};

use super::{
    candidate::{Evaluated, FamilyCandidate, ModelKind},
    progress::{FamilyProgressFn, FitKind, FitReporter, n_epochs},
    report_row::{ModelRow, failed_row, skipped_row},
};
use crate::{
    fitter::{FitError, FitProgressFn},
    metrics::UndefinedError,
    search::{self, Contender, Family, FoldFitter, Gain, OutOfFold, SearchContext, SearchResult},
};

/// Smallest share of the development rows that a fold trains on, if it takes part in the choice of
/// the winner: about half. A family that needs many rows is poor in the first folds, which is no
/// evidence about its final model.
const MIN_TRAIN_SHARE: f64 = 0.45;

/// The outcome of evaluating a family.
pub(super) enum Evaluation<'a> {
    /// The family was fitted on the folds.
    Evaluated(Box<Evaluated<'a>>),
    /// The family was skipped or failed; the row contains the reason.
    NotFitted(Box<ModelRow>),
}

/// Fits a family on the folds and compares it with the lead.
///
/// # Errors
/// Returns a failure if the job is cancelled. The failure of a family is not an error: it is
/// reported in the [`Evaluation`].
pub(super) fn evaluate<'a>(
    context: &SearchContext<'_>,
    search: &SearchResult,
    candidate: &FamilyCandidate<'a>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Evaluation<'a>, JobError> {
    let family = match candidate {
        FamilyCandidate::Ready(family) => family,
        FamilyCandidate::Unavailable { name, reason } => {
            return Ok(Evaluation::NotFitted(Box::new(skipped_row(name, reason))));
        }
    };
    let reporter = FitReporter { on_progress, family, fit: FitKind::Folds, n_epochs: n_epochs(family) };
    let fitted = reporter.run(|on_progress| fit_folds(context, search.label_idx, family, on_progress));
    let reason = match fitted {
        Err(error @ FitError::Cancelled) => return Err(search::family_failure(Phase::Training, family, &error)),
        Err(error) => error.to_string(),
        // A fold has too few rows for the family, so its scores cannot be compared.
        Ok(OutOfFold { rejection: Some(reason), .. }) => reason,
        Ok(oof) => return Ok(evaluated(context, search, family, oof)),
    };
    Ok(Evaluation::NotFitted(Box::new(failed_row(family, reason))))
}

/// Fits a family on every fold of a label.
fn fit_folds(
    context: &SearchContext<'_>,
    label_idx: usize,
    family: &Family<'_>,
    on_progress: &FitProgressFn<'_>,
) -> Result<OutOfFold, FitError> {
    FoldFitter::new(context, family).fit_prior(label_idx, on_progress)
}

fn evaluated<'a>(
    context: &SearchContext<'_>,
    search: &SearchResult,
    family: &Family<'a>,
    oof: OutOfFold,
) -> Evaluation<'a> {
    let gain = gain_over_lead(context, search, &oof).into();
    Evaluation::Evaluated(Box::new(Evaluated { kind: ModelKind::Family(*family), oof, gain, is_baseline: false }))
}

/// Compares a family with the lead on the rows that both scored, in the folds that train on enough
/// of the development period.
pub(super) fn gain_over_lead(
    context: &SearchContext<'_>,
    search: &SearchResult,
    oof: &OutOfFold,
) -> Result<Gain, UndefinedError> {
    let scores = oof.scores.iter().zip(&search.oof.scores).enumerate();
    let splits = &context.splits[search.label_idx];
    let mut judged = vec![false; oof.scores.len()];
    let least = MIN_TRAIN_SHARE * splits.development.learn_rows.len() as f64;
    let folds = splits.folds.iter().filter(|fold| fold.learn_rows.len() as f64 >= least);
    folds.flat_map(|fold| &fold.valid_rows).for_each(|&row| judged[row as usize] = true);
    let scored_by_both =
        scores.filter(|(row, (score, lead_score))| judged[*row] && !score.is_nan() && !lead_score.is_nan());
    let rows: Vec<u32> = scored_by_both.map(|(row, _)| row as u32).collect();
    let label = &context.labels[search.label_idx];
    // Both families have the same baseline on the same rows, so the baseline would cancel out of
    // the gain.
    let pooled = |scores| Contender { label, rows: &rows, scores, baseline: None };
    search::gain(context, &pooled(&oof.standard_scores), &pooled(&search.oof.standard_scores))
}
