//! Evaluates the families next to the lead: one fit on the last fold, compared with the lead's
//! scores of the same rows.

use oculus_job::{failure::Failure, progress::Phase};

use super::{
    candidate::{Evaluated, FamilyCandidate, GainOverLead},
    progress::{FamilyProgressFn, FitKind, FitReporter, n_epochs},
    report_row::{ModelRow, failed_row, skipped_row},
};
use crate::{
    fitter::FitError,
    metrics::Undefined,
    search::{self, Contender, Family, FoldFitter, Gain, OutOfFold, SearchContext, SearchResult},
};

/// The outcome of evaluating a family.
pub(super) enum Evaluation<'a> {
    /// It was fitted on the last fold.
    Evaluated(Box<Evaluated<'a>>),
    /// It was skipped or failed; its row has the reason.
    Unfit(Box<ModelRow>),
}

/// Fits a family on the last fold and compares it with the lead.
///
/// # Errors
/// If the job is cancelled. A family that fails is an outcome.
pub(super) fn evaluate<'a>(
    context: &SearchContext<'_>,
    search: &SearchResult,
    candidate: &FamilyCandidate<'a>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Evaluation<'a>, Failure> {
    let family = match candidate {
        FamilyCandidate::Ready(family) => family,
        FamilyCandidate::Unavailable { name, reason } => {
            return Ok(Evaluation::Unfit(Box::new(skipped_row(name, reason))));
        }
    };
    let reporter = FitReporter { on_progress, family, fit: FitKind::LastFold, n_epochs: n_epochs(family) };
    let fitted = reporter
        .run(|on_progress| FoldFitter::new(context, family).with_progress(on_progress).fit_last_fold(search.label_idx));
    let reason = match fitted {
        Err(error @ FitError::Cancelled) => return Err(search::family_failure(Phase::Training, family, &error)),
        Err(error) => error.to_string(),
        Ok(OutOfFold { refusal: Some(reason), .. }) => reason,
        Ok(oof) => return Ok(evaluated(context, search, family, oof)),
    };
    Ok(Evaluation::Unfit(Box::new(failed_row(family, reason))))
}

fn evaluated<'a>(
    context: &SearchContext<'_>,
    search: &SearchResult,
    family: &Family<'a>,
    oof: OutOfFold,
) -> Evaluation<'a> {
    let gain = match search.too_rare() {
        Some(reason) => GainOverLead::Undefined(reason),
        None => gain_over_lead(context, search, &oof).into(),
    };
    Evaluation::Evaluated(Box::new(Evaluated { family: *family, oof, gain }))
}

/// Compares a family with the lead on the rows that both scored.
fn gain_over_lead(context: &SearchContext<'_>, search: &SearchResult, oof: &OutOfFold) -> Result<Gain, Undefined> {
    let scores = oof.scores.iter().zip(&search.oof.scores).enumerate();
    let scored_by_both = scores.filter(|(_, (own, lead))| !own.is_nan() && !lead.is_nan());
    let common: Vec<u32> = scored_by_both.map(|(row, _)| row as u32).collect();
    let label = &context.labels[search.label_idx];
    let pooled = |scores| Contender { label, groups: vec![&common], scores, baseline: None };
    search::gain(context, &pooled(&oof.standard_scores), &pooled(&search.oof.standard_scores))
}
