//! Fits every family on the chosen label, chooses the winner on validation rows, and evaluates it
//! once in the test period.
//!
//! In: a `SearchContext`, the `SearchResult`, and the families. Out: one row and one model per
//! family, the winner's scores, and its [`TestMetrics`]. Invariant: of the models that can win, only
//! the winner's final fit scores the test rows; if the ensemble wins, the fits of its members do.
//! Families are fitted in parallel; the number of parallel fits does not change a byte of the result.

mod calibration;
mod candidate;
mod ensemble;
mod evaluation;
mod final_fit;
mod progress;
mod rank_scale;
mod reliability;
mod report_row;
mod roc;
mod signal_rule;
mod test_metrics;
#[cfg(test)]
mod tests;
mod training;
mod winner;

use oculus_job::{
    error::JobError,
    warning::{Warning, WarningCode},
};

pub(crate) use self::test_metrics::MAX_CHANCE_P;
pub use self::{
    calibration::{Calibration, ReliabilityBin},
    candidate::{Families, FamilyCandidate},
    ensemble::{ENSEMBLE_ID, Ensemble, EnsembleMember},
    progress::{FamilyProgress, FamilyProgressFn, FitKind},
    rank_scale::RankScale,
    reliability::AucReliability,
    report_row::{ModelRow, ModelStatus, ValidationMetrics},
    signal_rule::SignalRule,
    test_metrics::{SymbolMetrics, TestMetrics},
    training::{FamilyScores, FinalModel, Training, Winner},
};
use self::{
    candidate::{Evaluated, GainOverLead, ModelKind},
    ensemble::{ENSEMBLE_TITLE, evaluate_ensemble},
    evaluation::{Evaluation, evaluate},
    final_fit::FinalFitter,
    report_row::{evaluated_rows, skipped_row},
};
use super::{
    parallel::parallel_map,
    search::{Family, SearchContext, SearchResult},
};

/// All families with their out-of-fold scores, before the final fits.
pub(crate) struct Evaluations<'a> {
    /// The evaluated families, the lead first, then the ensemble if there is one.
    evaluated: Vec<Evaluated<'a>>,
    /// The rows of the families that were skipped or failed, and of a skipped ensemble.
    not_fitted: Vec<ModelRow>,
}

/// Fits all families on the folds.
///
/// * `on_progress`: receives the progress of each fit.
///
/// # Errors
/// Returns a failure if the job is cancelled. A family that fails does not affect the others.
pub(crate) fn evaluate_all<'a>(
    context: &SearchContext<'_>,
    search: &'a SearchResult,
    families: &Families<'a>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Evaluations<'a>, JobError> {
    let lead = Family { params: &search.params, ..families.lead };
    // The search has already fitted the lead on all folds, so those scores are used again.
    let lead = Evaluated {
        kind: ModelKind::Family(lead),
        oof: search.oof.clone(),
        gain: GainOverLead::IsLead,
        is_baseline: false,
    };
    let mut evaluated = vec![lead];
    let mut not_fitted = Vec::new();
    let baseline = families.baseline.map(FamilyCandidate::Ready);
    let candidates: Vec<FamilyCandidate<'_>> = families.others.iter().copied().chain(baseline).collect();
    let evaluations =
        parallel_map(context.n_parallel, &candidates, |candidate| evaluate(context, search, candidate, on_progress));
    for (idx, evaluation) in evaluations.into_iter().enumerate() {
        let is_baseline = idx >= families.others.len();
        match evaluation? {
            Evaluation::Evaluated(family) => evaluated.push(Evaluated { is_baseline, ..*family }),
            Evaluation::NotFitted(row) => not_fitted.push(ModelRow { is_baseline, ..*row }),
        }
    }
    if families.ensemble {
        match evaluate_ensemble(context, search, &evaluated) {
            Ok(ensemble) => evaluated.push(ensemble),
            Err(reason) => not_fitted.push(skipped_row(ENSEMBLE_TITLE, &reason.to_string())),
        }
    }
    Ok(Evaluations { evaluated, not_fitted })
}

/// Fits every evaluated family on the whole development period, chooses the winner and evaluates it.
///
/// * `on_progress`: receives the progress of each fit.
///
/// # Errors
/// Returns a failure if the final fit of every family fails, or if the job is cancelled. A single
/// family that fails does not affect the others.
pub(crate) fn fit_final(
    context: &SearchContext<'_>,
    search: &SearchResult,
    evaluations: Evaluations<'_>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Training, JobError> {
    let Evaluations { evaluated, not_fitted } = evaluations;
    let fitter = FinalFitter { context, search };
    let fits = fitter.fit_all(&evaluated, on_progress)?;
    let mut rows = evaluated_rows(context, search, &evaluated);
    fits.complete(&fitter, &mut rows);
    // `fits.complete` matches rows by index, so the rows of the other families are appended only
    // now.
    rows.extend(not_fitted);
    let failed = rows.iter().filter(|row| row.status == ModelStatus::Failed).map(failed_family);
    let test = fits.test_metrics(&fitter, &evaluated);
    let stopped = evaluated.iter().filter_map(stopped_at_once);
    Ok(Training {
        warnings: failed.chain(fits.warnings.iter().cloned()).chain(stopped).chain(test.warnings()).collect(),
        models: fits.models(&evaluated),
        winner: fits.winner(&fitter, &evaluated),
        out_of_fold: evaluated.iter().map(|this| FamilyScores::new(this, search.baseline.as_deref())).collect(),
        test,
        rows,
    })
}

/// Returns the warning `stopped_at_once` if early stopping kept a single round or epoch.
fn stopped_at_once(evaluated: &Evaluated<'_>) -> Option<Warning> {
    let message = || {
        format!(
            "{}: early stopping kept one epoch, because every further epoch forecast the rows for early stopping less well",
            evaluated.title()
        )
    };
    (evaluated.oof.rounds == Some(1)).then(|| Warning::new(WarningCode::StoppedAtOnce, message()))
}

fn failed_family(row: &ModelRow) -> Warning {
    Warning::new(WarningCode::FamilyFailed, format!("{}: {}", row.name, row.reason.as_deref().unwrap_or_default()))
}
