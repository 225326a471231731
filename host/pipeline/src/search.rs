//! Chooses label and configuration of the family that leads: labels first, then parameters on one
//! label.
//!
//! In: a [`SearchContext`], the lead, a number of trials. Out: a [`SearchResult`] with out-of-fold
//! scores, every trial, and every label with its status. Trials are proposed in batches of four and
//! reported in order, and the seed is the only source of randomness, so the result does not depend
//! on the number of parallel fits. No test row is read.
//!
//! A trial's score is the mean over folds of AUC, less the mean AUC of the volatility baseline or
//! 0.5, whichever is more: labels differ in the share that volatility alone forecasts, and scores
//! are compared across labels.

mod baselines;
mod compare;
mod context;
mod fold_fitter;
mod labels;
mod prior;
mod propose;
mod result;
mod row_scores;
#[cfg(test)]
pub(crate) mod tests;
mod trial;
mod trial_result;
mod trial_runner;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::warning::{Warning, WarningCode};

use self::{
    baselines::Baselines,
    fold_fitter::Configuration,
    trial_result::TrialResult,
    trial_runner::{BATCH, TrialBudget, TrialRunner},
};
pub(crate) use self::{
    compare::{Contender, Gain, gain},
    context::{Family, SearchContext},
    fold_fitter::{FoldFitter, OutOfFold, family_failure},
    labels::{LabelName, LabelRow, LabelStatus},
    prior::{Prior, PriorScore},
    result::SearchResult,
    row_scores::{every_row_scored, merge_rows, separate_scores},
    trial::{Trial, TrialEvent, TrialKind},
};
use super::{baseline, metrics::Undefined};

/// Searches label and configuration with at most `n_trials` trials.
///
/// * `on_trial`: called in trial order, from the calling thread.
///
/// # Errors
/// If the lead's process dies for good, it refuses every trial, or the job is cancelled.
pub(crate) fn run(
    context: &SearchContext<'_>,
    lead: &Family<'_>,
    n_trials: usize,
    on_trial: &dyn Fn(TrialEvent<'_>),
) -> Result<SearchResult, Failure> {
    labels::refuse_one_class(context)?;
    let mut labels = labels::examine(context, n_trials / 2);
    let too_rare_idx = labels.iter().position(|row| row.status == LabelStatus::TooRare);
    let baselines = Baselines::new(context);
    let mut runner = TrialRunner::new(lead, &baselines, TrialBudget { n_trials, too_rare_idx, on_trial });

    let priors = try_labels(&mut runner, &labels)?;
    let Some(chosen) = labels::choose(context, &baselines, &mut labels, &priors) else {
        return Err(fitted_nowhere(lead, &runner.into_trials()));
    };
    let tuned = if chosen.score().is_some() { tune(&mut runner, chosen.label_idx)? } else { None };
    let (best, gain_over_prior) = replace_prior(&baselines, chosen, tuned.as_ref());
    let baseline = baselines.scores(best.label_idx);

    let mut warnings = labels::warnings(&labels);
    if baseline.is_none() {
        warnings.push(no_volatility_baseline());
    }
    Ok(SearchResult {
        label_idx: best.label_idx,
        params: best.params.clone(),
        oof: best.oof.clone(),
        baseline: baseline.map(<[f32]>::to_vec),
        score: best.score(),
        baseline_auc: best.baseline_auc(),
        gain_over_prior,
        trials: runner.into_trials(),
        labels,
        warnings,
    })
}

/// Stage 1: tries the prior on each label that the search considers.
fn try_labels(runner: &mut TrialRunner<'_>, labels: &[LabelRow]) -> Result<Vec<TrialResult>, Failure> {
    let is_tried = |row: &LabelRow| matches!(row.status, LabelStatus::Tried | LabelStatus::TooRare);
    let label_idxs: Vec<usize> = (0..labels.len()).filter(|&idx| is_tried(&labels[idx])).collect();
    let prior = runner.family().params;
    let mut results = Vec::new();
    for batch in label_idxs.chunks(BATCH) {
        let batch = batch.iter().map(|&label_idx| Configuration { label_idx, params: prior.clone() }).collect();
        results.extend(runner.run_batch(TrialKind::Label, batch)?);
    }
    Ok(results)
}

/// Stage 2: tries configurations drawn at random on one label, and returns the best, the first of
/// equals.
///
/// The family's default is not drawn again: it is the prior of stage 1.
fn tune(runner: &mut TrialRunner<'_>, label_idx: usize) -> Result<Option<TrialResult>, Failure> {
    let mut proposals = propose::Proposals::new(runner.context().seed, runner.family());
    let score = |result: &TrialResult| result.score().unwrap_or(f64::NEG_INFINITY);
    let mut best: Option<TrialResult> = None;
    while runner.n_left() > 0 && proposals.has_choice() {
        let n_drawn = BATCH.min(runner.n_left());
        let batch = (0..n_drawn).map(|_| Configuration { label_idx, params: proposals.draw() }).collect();
        for result in runner.run_batch(TrialKind::Params, batch)? {
            if best.as_ref().is_none_or(|best| score(&result) > score(best)) {
                best = Some(result);
            }
        }
    }
    Ok(best)
}

/// Returns the best configuration if its paired gain over the prior is clear; else the prior, and
/// why it stayed.
fn replace_prior<'r>(
    baselines: &Baselines<'_>,
    prior: &'r TrialResult,
    best: Option<&'r TrialResult>,
) -> (&'r TrialResult, Result<Gain, Undefined>) {
    let stayed = |why: String| (prior, Err(Undefined::because(format!("the family's prior stayed: {why}"))));
    let Some(best) = best else { return stayed("no other configuration was fitted".to_owned()) };
    match gain(baselines.context, &best.contender(baselines), &prior.contender(baselines)) {
        Ok(gain) if gain.is_clear() => (best, Ok(gain)),
        Ok(Gain { value, standard_error }) => stayed(format!(
            "the best other configuration gains {value:+.4}, needs more than a standard error of {standard_error:.4}"
        )),
        Err(reason) => stayed(format!("the best other configuration cannot be compared with it: {reason}")),
    }
}

/// Fails the job where the lead refused every label. A failed result lists no trials, so the
/// message has their reason.
fn fitted_nowhere(lead: &Family<'_>, trials: &[Trial]) -> Failure {
    let title = lead.fitter.manifest().title();
    let why = trials.iter().find_map(|trial| trial.reason.as_deref()).unwrap_or("no label was tried");
    let message = format!("{title} leads the search and could be fitted on no label: {why}");
    let hint = "change the family's parameters or the labels, or let another family lead";
    Failure::failed(Phase::ConfigSearch, ErrorCode::NoLabelFitted, message, hint)
}

fn no_volatility_baseline() -> Warning {
    let features = baseline::FEATURES.join(" and ");
    let message = format!("no volatility baseline without {features}; 0.5 stands for it");
    Warning::new(WarningCode::NoVolatilityBaseline, message)
}
