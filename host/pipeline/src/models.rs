//! Fits every family on the chosen label, chooses a winner by validation rows, and evaluates it
//! once on the test.
//!
//! In: a `SearchContext`, the `SearchResult`, the families. Out: one row and one model per
//! family, the winner's scores, and its [`TestMetrics`]. Invariant: the test rows are scored by the
//! winner's final fit alone. Families are fitted in parallel; how many at once changes no byte of
//! the result.

mod candidate;
mod evaluation;
mod final_fit;
mod progress;
mod report_row;
mod roc;
mod test_metrics;
#[cfg(test)]
mod tests;
mod training;
mod winner;

use oculus_job::{
    failure::Failure,
    warning::{Warning, WarningCode},
};

use self::{
    candidate::{Evaluated, GainOverLead},
    evaluation::{Evaluation, evaluate},
    final_fit::FinalFitter,
    report_row::evaluated_rows,
};
pub use self::{
    candidate::{Families, FamilyCandidate},
    progress::{FamilyProgress, FamilyProgressFn, FitKind},
    report_row::{ModelRow, ModelStatus, ValidationMetrics},
    test_metrics::{SymbolMetrics, TestMetrics},
    training::{FinalModel, Training, Winner},
};
use super::{
    parallel::side_by_side,
    search::{Family, SearchContext, SearchResult},
};

/// Fits all families, chooses the winner and evaluates it.
///
/// * `on_progress`: receives the progress of each fit.
///
/// # Errors
/// If the final fit of every family fails, or the job is cancelled. A family that fails leaves the
/// others.
pub fn run(
    context: &SearchContext<'_>,
    search: &SearchResult,
    families: &Families<'_>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Training, Failure> {
    let lead = Family { params: &search.params, ..families.lead };
    let mut evaluated = vec![Evaluated { family: lead, oof: search.oof.clone(), gain: GainOverLead::IsLead }];
    let mut unfit = Vec::new();
    let evaluations = side_by_side(context.n_side_by_side, &families.others, |candidate| {
        evaluate(context, search, candidate, on_progress)
    });
    for evaluation in evaluations {
        match evaluation? {
            Evaluation::Evaluated(family) => evaluated.push(*family),
            Evaluation::Unfit(row) => unfit.push(*row),
        }
    }
    let fitter = FinalFitter { context, search };
    let fits = fitter.fit_all(&evaluated, on_progress)?;
    let mut rows = evaluated_rows(context, search, &evaluated);
    fits.complete(&mut rows);
    rows.extend(unfit);
    let failed = rows.iter().filter(|row| row.status == ModelStatus::Failed).map(failed_family);
    Ok(Training {
        warnings: failed.chain(fits.warnings.iter().cloned()).collect(),
        models: fits.models(&evaluated),
        winner: fits.winner(&fitter, &evaluated),
        test: fits.test_metrics(&fitter, &evaluated),
        rows,
    })
}

fn failed_family(row: &ModelRow) -> Warning {
    Warning::new(WarningCode::FamilyFailed, format!("{}: {}", row.name, row.reason.as_deref().unwrap_or_default()))
}
