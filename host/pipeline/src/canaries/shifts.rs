//! Compares the real label with itself shifted along the dates, which nothing can forecast.
//!
//! In: a [`SearchContext`], the search's [`SearchResult`], the lead. Out: [`LabelShifts`]. A
//! shifted label keeps its base rate, its runs and the correlation between symbols, and loses only
//! its relation to the features. So a leak of labels into features, or a search that overfits,
//! shows in the shifted scores too. Small shifts are excluded: the features have seen a label that
//! comes from shortly before its row. Invariant: rows outside the development period have no
//! shifted label.

use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use serde::{Deserialize, Serialize};

use crate::{
    features::FeatureTable,
    fitter::FitError,
    labels::Label,
    metrics::{Dates, Finite, Reasons, Undefined, block_dates},
    search::{Family, Prior, PriorScore, SearchContext, SearchResult, family_failure},
};

/// Number of shifts: with the real label there are twenty scores, so that the first rank has a p-value of 5 %.
const N_SHIFTS: usize = 19;
/// Longest look-back of the features, in dates. Labels of a random walk that are moved 48 dates into the past score
/// +0.11 with features of 50 and 60 bars, labels that are moved 96 dates +0.01.
const LOOK_BACK_DATES: usize = 252;
/// With few dates, one part in this many is kept free for the look-back.
const LOOK_BACK_SHARE: usize = 3;
/// Shifts fitted between two progress reports.
const BATCH: usize = 4;

/// The real label compared with itself shifted along the dates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelShifts {
    /// Number of shifts that were tried.
    pub n_shifts: usize,
    /// Score of the family's prior on the real label.
    pub score: Option<Finite>,
    /// Scores on the shifted labels, in the order of the shifts; missing scores are left out, with the reason.
    pub shifted_scores: Vec<Finite>,
    /// Rank of the real score among all, 1 being the best; equal scores rank before it.
    pub rank: Option<usize>,
    /// The rank over the number of scores: the probability of such a rank where labels cannot be forecast.
    pub p_value: Option<Finite>,
    /// The figures in words.
    pub reading: String,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Fits the lead's prior on every shifted label.
///
/// # Errors
/// If the job is cancelled.
pub(super) fn run(
    context: &SearchContext<'_>,
    outcome: &SearchResult,
    lead: &Family<'_>,
    on_shifts: &dyn Fn(usize, usize),
) -> Result<LabelShifts, Failure> {
    let label_idx = outcome.label_idx;
    let label = &context.labels[label_idx];
    let rows = &context.splits[label_idx].development.train_rows;
    let score = outcome.labels[label_idx].score.map(Finite::get);
    let scored = match outcome.too_rare() {
        Some(reason) => Err(reason),
        None => score.ok_or_else(|| Undefined::because("the prior has no score on the label")),
    };
    let planned = scored.and_then(|score| Ok((score, shifts(context.table, label, rows)?)));
    let (score, shifts) = match planned {
        Ok(planned) => planned,
        Err(reason) => return Ok(without_rank(score, 0, &reason)),
    };
    let mut prior = Prior::new(context, lead, label_idx);
    let mut scores = Vec::with_capacity(N_SHIFTS);
    for batch in shifts.chunks(BATCH) {
        let values = batch.iter().map(|&n_dates| shifted(context.table, label, rows, n_dates)).collect();
        match prior.scores(values) {
            Ok(batch_scores) => scores.extend(batch_scores),
            Err(error @ FitError::Cancelled) => return Err(family_failure(Phase::Training, lead, &error)),
            Err(error) => return Ok(without_rank(Some(score), N_SHIFTS, &Undefined::because(error.to_string()))),
        }
        on_shifts(scores.len(), N_SHIFTS);
    }
    Ok(rank(score, &scores))
}

/// Returns the numbers of dates to shift by: evenly spaced, more than the label's horizon either way, and none that
/// brings a row the label of a date within the look-back of its features.
///
/// # Errors
/// If there are too few dates for that many shifts.
pub(super) fn shifts(table: &FeatureTable, label: &Label, rows: &[u32]) -> Result<Vec<usize>, Undefined> {
    let n_dates = Dates::from_rows(&table.day, rows).len();
    let horizon_dates = block_dates(label) / 2;
    let nearest = (horizon_dates + 1).max(n_dates / (N_SHIFTS + 1));
    let seen = (horizon_dates + 1).max(LOOK_BACK_DATES.min(n_dates / LOOK_BACK_SHARE));
    let span = n_dates.saturating_sub(nearest + seen);
    if span < N_SHIFTS - 1 {
        let reason = format!("{n_dates} dates have no {N_SHIFTS} shifts of more than {horizon_dates} dates either way");
        return Err(Undefined::because(reason));
    }
    Ok((0..N_SHIFTS).map(|idx| nearest + idx * span / (N_SHIFTS - 1)).collect())
}

/// Moves the label's values `n_dates` back within each symbol's `rows`, those of the first dates to the last: one value
/// per row of the table, NaN outside `rows`. A symbol with fewer dates wraps around earlier.
pub(super) fn shifted(table: &FeatureTable, label: &Label, rows: &[u32], n_dates: usize) -> Vec<f32> {
    let mut value = vec![f32::NAN; table.n_rows()];
    for of_symbol in rows.chunk_by(|&a, &b| table.symbol[a as usize] == table.symbol[b as usize]) {
        // A date with many bars has about the same number for each symbol.
        let n_rows = of_symbol.len();
        let offset = n_dates * n_rows / Dates::from_rows(&table.day, of_symbol).len().max(1);
        for (idx, &row) in of_symbol.iter().enumerate() {
            value[row as usize] = label.value[of_symbol[(idx + offset) % n_rows] as usize];
        }
    }
    value
}

/// Ranks the real score among those of the shifted labels.
fn rank(score: f64, shifted: &[PriorScore]) -> LabelShifts {
    let scores: Vec<f64> = shifted.iter().filter_map(PriorScore::value).collect();
    let first_failure = shifted.iter().find_map(PriorScore::reason);
    if scores.is_empty() {
        let reason = first_failure.unwrap_or("no shift was tried");
        return without_rank(Some(score), shifted.len(), &Undefined::because(reason));
    }
    let mut reasons = Reasons::default();
    if let Some(reason) = first_failure {
        let n_missing = shifted.len() - scores.len();
        let missing = format!("{n_missing} of {} shifts have no score: {reason}", shifted.len());
        reasons.figure("shifted_scores", Err(Undefined::because(missing)));
    }
    let n_as_good = scores.iter().filter(|shifted| **shifted >= score).count();
    LabelShifts {
        n_shifts: shifted.len(),
        score: reasons.figure("score", Ok(score)),
        rank: Some(n_as_good + 1),
        p_value: reasons.figure("p_value", Ok((n_as_good + 1) as f64 / (scores.len() + 1) as f64)),
        reading: read(score, n_as_good, scores.len()),
        shifted_scores: scores.into_iter().filter_map(Finite::new).collect(),
        reasons,
    }
}

/// Returns the comparison in words.
pub(super) fn read(score: f64, n_as_good: usize, n_scores: usize) -> String {
    match n_as_good {
        0 => format!(
            "the real labels score {score:+.3}, more than all {n_scores} labels shifted in time: something was found"
        ),
        _ => format!(
            "the real labels score {score:+.3}, and {n_as_good} of {n_scores} labels shifted in time, which nothing can \
             forecast, score as much: what was found may be chance"
        ),
    }
}

/// Returns the figures where there is no rank, with the reason.
fn without_rank(score: Option<f64>, n_shifts: usize, reason: &Undefined) -> LabelShifts {
    let mut reasons = Reasons::default();
    LabelShifts {
        n_shifts,
        score: reasons.figure("score", score.ok_or_else(|| reason.clone())),
        shifted_scores: Vec::new(),
        rank: reasons.value("rank", Err(reason.clone())),
        p_value: reasons.figure("p_value", Err(reason.clone())),
        reading: format!("shifted labels cannot be compared with: {reason}"),
        reasons,
    }
}
