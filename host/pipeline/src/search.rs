//! Chooses the label of the job and the configuration of the lead family. The search first tries
//! labels, then parameters on the chosen label. The lead is the family that the job names in
//! `config_search_model`.
//!
//! In: a [`SearchContext`], the lead family, and a number of trials. Out: a [`SearchResult`] with
//! out-of-fold scores, every trial, and every label with its status. Invariants: test rows are not
//! read, and the result does not depend on the number of parallel fits. Trials are proposed in
//! batches of four and reported in order, and all random numbers come from the seed.
//!
//! The score of a trial is its validation AUC minus the larger of 0.5 and the validation AUC of the
//! volatility baseline. Labels differ in how well volatility alone forecasts them, so AUCs of
//! different labels would not be comparable. The validation AUC is the AUC of the pooled validation
//! rows of all folds, with scores in deviations of each fold's model: a single fold may have few
//! positives or none.

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
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::warning::{Warning, WarningCode};

use self::{
    baselines::Baselines,
    fold_fitter::Configuration,
    labels::LabelChoice,
    trial_result::TrialResult,
    trial_runner::{BATCH, TrialBudget, TrialRunner},
};
pub(crate) use self::{
    compare::{Contender, Gain, gain},
    context::{Family, SearchContext},
    fold_fitter::{FoldFitter, OutOfFold, family_failure, rounds_setting},
    labels::{LabelName, LabelRow, LabelStatus},
    prior::{PriorScore, prior_scores},
    result::SearchResult,
    row_scores::{every_row_scored, merge_rows, scale_rows, separate_scores},
    trial::{Trial, TrialEvent, TrialKind},
};
use super::{baseline, metrics::UndefinedError};

/// Searches for a label and a configuration with at most `n_trials` trials.
///
/// * `on_trial`: called in trial order, from the calling thread.
///
/// # Errors
/// Returns a failure if the process of the lead family dies permanently, if the family rejects
/// every label, or if the job is cancelled.
pub(crate) fn run(
    context: &SearchContext<'_>,
    lead: &Family<'_>,
    n_trials: usize,
    on_trial: &dyn Fn(TrialEvent<'_>),
) -> Result<SearchResult, JobError> {
    // This check requires no fit, so a job without a usable label fails before any fit.
    labels::reject_one_class(context)?;
    // Labels use at most half of the budget; the other half is for parameters.
    let mut labels = labels::examine(context, n_trials / 2);
    // Scores of a label that is too rare are mostly noise, so fewer configurations are compared.
    let is_too_rare = labels.iter().any(|row| row.status == LabelStatus::TooRare);
    let n_trials = if is_too_rare { n_trials.div_ceil(2) } else { n_trials };
    let baselines = Baselines::new(context);
    let mut runner = TrialRunner::new(lead, &baselines, TrialBudget { n_trials, on_trial });

    let priors = try_labels(&mut runner, &labels)?;
    let Some(LabelChoice { chosen, median_idx }) = labels::choose(context, &baselines, &mut labels, &priors) else {
        return Err(no_label_fitted(lead, &runner.into_trials()));
    };
    // Without a score, configurations cannot be compared, so the prior is used unchanged.
    let tuned = if chosen.score().is_some() { tune(&mut runner, chosen.label_idx)? } else { None };
    let (best, gain_over_prior) = replace_prior(&baselines, chosen, tuned.as_ref());
    let baseline = baselines.scores(best.label_idx);

    let mut warnings = labels::warnings(&labels);
    if baseline.is_none() {
        warnings.push(no_volatility_baseline());
    }
    Ok(SearchResult {
        label_idx: best.label_idx,
        median_label_idx: median_idx,
        params: best.params.clone(),
        oof: best.oof.clone(),
        baseline: baseline.map(<[f32]>::to_vec),
        score: best.score(),
        auc: best.excess.map(|excess| excess.auc),
        baseline_auc: best.baseline_auc(),
        gain_over_prior,
        trials: runner.into_trials(),
        labels,
        warnings,
    })
}

/// Stage 1: tries the prior on each label that the search considers.
fn try_labels(runner: &mut TrialRunner<'_>, labels: &[LabelRow]) -> Result<Vec<TrialResult>, JobError> {
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

/// Stage 2: tries random configurations on one label and returns the best; of equal scores, the
/// first.
///
/// The prior is not tried again, because stage 1 has already tried it.
fn tune(runner: &mut TrialRunner<'_>, label_idx: usize) -> Result<Option<TrialResult>, JobError> {
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

/// Returns the best configuration if its paired gain over the prior is clear; otherwise the prior,
/// with the reason why it was kept.
fn replace_prior<'r>(
    baselines: &Baselines<'_>,
    prior: &'r TrialResult,
    best: Option<&'r TrialResult>,
) -> (&'r TrialResult, Result<Gain, UndefinedError>) {
    let kept = |reason: String| (prior, Err(UndefinedError::because(format!("the family's prior was kept: {reason}"))));
    let Some(best) = best else { return kept("no other configuration was fitted".to_owned()) };
    match gain(baselines.context, &best.contender(baselines), &prior.contender(baselines)) {
        Ok(gain) if gain.is_clear() => (best, Ok(gain)),
        Ok(gain) => kept(format!(
            "the best other configuration gains {:+.4}, not more than {} times its standard error of {:.4}",
            gain.value,
            gain.n_standard_errors(),
            gain.standard_error
        )),
        Err(reason) => kept(format!("the best other configuration cannot be compared with the prior: {reason}")),
    }
}

/// Returns the failure of a job whose lead family rejected every label. The result of a failed job
/// does not list trials, so the message contains the reason of the first rejected trial.
fn no_label_fitted(lead: &Family<'_>, trials: &[Trial]) -> JobError {
    let title = lead.fitter.manifest().title();
    let reason = trials.iter().find_map(|trial| trial.reason.as_deref()).unwrap_or("no label was tried");
    let message = format!("{title}, which leads the search, could not be fitted on any label: {reason}");
    let hint = "change the family's parameters or the labels, or name another family in config_search_model";
    JobError::failed(Phase::ConfigSearch, ErrorCode::NoLabelFitted, message, hint)
}

fn no_volatility_baseline() -> Warning {
    let features = baseline::FEATURES.join(" and ");
    let message = format!("the volatility baseline needs {features}; an AUC of 0.5 is used instead");
    Warning::new(WarningCode::NoVolatilityBaseline, message)
}
