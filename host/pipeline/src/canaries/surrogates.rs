//! Compares the score of the prior on the real market with its scores on surrogate markets, whose
//! moves cannot be forecast.
//!
//! In: [`CanaryInputs`]. Out: [`SurrogateMarkets`]. Features, labels, folds and fits of a surrogate
//! are those of the real market, so a leak of labels into features, or a bias of short windows,
//! raises its score too. Invariant: test rows are not read.
//!
//! The label is the one of median base rate among the tried labels, which is determined without
//! scores. A label that was chosen for its score would have an advantage that the surrogates lack.

use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CanaryInputs, SurrogateError,
    surrogate_panel::{SurrogateInputs, SurrogatePanel, n_per_panel},
};
use crate::{
    fitter::FitError,
    metrics::{Finite, Reasons, UndefinedError},
    search::{Family, LabelName, PriorScore, SearchContext, family_failure, prior_scores},
};

/// Number of surrogates. With the real score there are twenty scores, so rank 1 has a p-value of
/// 5 %.
pub(crate) const N_SURROGATES: usize = 19;

/// Comparison of the real market with surrogate markets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SurrogateMarkets {
    /// Number of surrogates that were tried.
    pub n_surrogates: usize,
    /// The label that is forecast: the one of median base rate, which may differ from the label of
    /// the model. Absent if none was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelName>,
    /// Score of the lead family's prior on the validation rows of the real market: validation AUC
    /// minus the larger of 0.5 and the AUC of the volatility baseline. Null if it has none.
    pub score: Option<Finite>,
    /// Scores on the surrogates, in their order; missing scores are left out, and `reasons`
    /// explains them.
    pub surrogate_scores: Vec<Finite>,
    /// Rank of the real score among all scores; 1 is the best. Surrogates with an equal score rank
    /// before the real market; null if the real market has no score, or if no surrogate was scored.
    pub rank: Option<usize>,
    /// The rank divided by the number of scores: the probability of this rank or a better one if
    /// the moves cannot be forecast; null together with `rank`.
    pub p_value: Option<Finite>,
    /// Interpretation of the figures in one sentence.
    pub reading: String,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Fits the prior of the lead family on every surrogate, and ranks the real score.
///
/// # Errors
/// Returns a failure if the job is cancelled, or if the features of a surrogate cannot be written
/// to the temporary folder.
pub(super) fn run(
    inputs: &CanaryInputs<'_, '_>,
    on_surrogates: &dyn Fn(usize, usize),
) -> Result<SurrogateMarkets, JobError> {
    let Some(row) = inputs.search.labels.get(inputs.search.median_label_idx) else {
        return Ok(SurrogateMarkets::without_rank(None, None, 0, &UndefinedError::because("no label was tried")));
    };
    let label = row.name;
    let Some(score) = row.score.map(Finite::get) else {
        let reason = UndefinedError::because("the prior has no score on the label");
        return Ok(SurrogateMarkets::without_rank(Some(label), None, 0, &reason));
    };
    match surrogate_scores(inputs, on_surrogates) {
        Ok(scores) => Ok(rank(label, score, &scores)),
        Err(SurrogateError::Job(failure)) => Err(failure),
        Err(SurrogateError::Fit(error @ FitError::Cancelled)) => {
            Err(family_failure(Phase::Training, inputs.lead, &error))
        }
        // The models of the job exist already, so if the family fails here, only the rank is
        // missing.
        Err(SurrogateError::Fit(error)) => {
            let reason = UndefinedError::because(error.to_string());
            Ok(SurrogateMarkets::without_rank(Some(label), Some(score), N_SURROGATES, &reason))
        }
    }
}

fn surrogate_scores(
    inputs: &CanaryInputs<'_, '_>,
    on_surrogates: &dyn Fn(usize, usize),
) -> Result<Vec<PriorScore>, SurrogateError> {
    let context = inputs.context;
    let surrogates = SurrogateInputs {
        job: inputs.job,
        market: inputs.market,
        partition: inputs.partition,
        key: context.labels[inputs.search.median_label_idx].key,
        seed: context.seed,
        n_parallel: context.n_parallel,
    };
    let numbers: Vec<usize> = (0..N_SURROGATES).collect();
    let mut scores = Vec::with_capacity(N_SURROGATES);
    for numbers in numbers.chunks(n_per_panel(context.table)) {
        let panel = SurrogatePanel::new(&surrogates, numbers).map_err(SurrogateError::Job)?;
        let plugins = (inputs.open)(&panel.table).map_err(SurrogateError::Job)?;
        // The lead family is the first one.
        let Some(fitter) = plugins.fitters.first() else { break };
        let lead = Family { fitter: fitter.as_ref(), ..*inputs.lead };
        let context = SearchContext { table: &panel.table, labels: &panel.labels, splits: &panel.splits, ..*context };
        let n_before = scores.len();
        let on_done = |n_done: usize| on_surrogates(n_before + n_done, N_SURROGATES);
        scores.extend(prior_scores(&context, &lead, &on_done).map_err(SurrogateError::Fit)?);
    }
    Ok(scores)
}

/// Ranks the real score among the scores of the surrogates.
fn rank(label: LabelName, score: f64, surrogates: &[PriorScore]) -> SurrogateMarkets {
    let scores: Vec<f64> = surrogates.iter().filter_map(PriorScore::value).collect();
    let first_failure = surrogates.iter().find_map(PriorScore::reason);
    if scores.is_empty() {
        let reason = first_failure.unwrap_or("no surrogate was tried");
        let reason = UndefinedError::because(reason);
        return SurrogateMarkets::without_rank(Some(label), Some(score), surrogates.len(), &reason);
    }
    let mut reasons = Reasons::default();
    if let Some(reason) = first_failure {
        let n_missing = surrogates.len() - scores.len();
        let missing = format!("{n_missing} of {} surrogates have no score: {reason}", surrogates.len());
        reasons.figure("surrogate_scores", Err(UndefinedError::because(missing)));
    }
    // A surrogate with an equal score counts against the real market. The real score is counted
    // among the scores, so the p-value is never 0 (Phipson and Smyth, *Permutation P-values Should
    // Never Be Zero*, 2010).
    let n_as_good = scores.iter().filter(|surrogate| **surrogate >= score).count();
    SurrogateMarkets {
        n_surrogates: surrogates.len(),
        label: Some(label),
        score: reasons.figure("score", Ok(score)),
        rank: Some(n_as_good + 1),
        p_value: reasons.figure("p_value", Ok((n_as_good + 1) as f64 / (scores.len() + 1) as f64)),
        reading: read(score, n_as_good, scores.len()),
        surrogate_scores: scores.into_iter().filter_map(Finite::new).collect(),
        reasons,
    }
}

/// Returns the interpretation of a rank in one sentence.
pub(super) fn read(score: f64, n_as_good: usize, n_scores: usize) -> String {
    match n_as_good {
        0 => format!(
            "the real market scores {score:+.3}, more than each of the {n_scores} surrogate markets: the model found \
             information about the direction of prices"
        ),
        _ => format!(
            "the real market scores {score:+.3}, and {n_as_good} of {n_scores} surrogate markets, whose direction cannot \
             be forecast, score at least as much: the score may be chance"
        ),
    }
}

impl SurrogateMarkets {
    /// Returns the figures of a comparison without a rank, with the reason.
    pub(crate) fn without_rank(
        label: Option<LabelName>,
        score: Option<f64>,
        n_surrogates: usize,
        reason: &UndefinedError,
    ) -> Self {
        let mut reasons = Reasons::default();
        Self {
            n_surrogates,
            label,
            score: reasons.figure("score", score.ok_or_else(|| reason.clone())),
            surrogate_scores: Vec::new(),
            rank: reasons.value("rank", Err(reason.clone())),
            p_value: reasons.figure("p_value", Err(reason.clone())),
            reading: format!("the market cannot be compared with surrogate markets: {reason}"),
            reasons,
        }
    }
}
