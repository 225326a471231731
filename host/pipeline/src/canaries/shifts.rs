//! Compares the real label with the same label shifted along the dates, which cannot be forecast.
//!
//! In: a [`SearchContext`], the search's [`SearchResult`], and the lead family. Out:
//! [`LabelShifts`]. A shifted label keeps its base rate, its runs and the correlation between
//! symbols, and loses only its relation to the features. So a leak of labels into features, or a
//! search that overfits, raises the shifted scores too. Small shifts are excluded, because a date's
//! label and the features of the next dates are computed from the same bars. Invariant: rows
//! outside the development period have no shifted label.

use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use serde::{Deserialize, Serialize};

use crate::{
    features::FeatureTable,
    fitter::FitError,
    labels::Label,
    metrics::{Dates, Finite, Reasons, UndefinedError, block_dates},
    search::{Family, Prior, PriorScore, SearchContext, SearchResult, family_failure},
};

/// Number of shifts. With the score of the real label there are twenty scores, so rank 1 has a
/// p-value of 5 %.
const N_SHIFTS: usize = 19;
/// Longest look-back of the features, in dates. On random walks with features of 50 and 60 bars,
/// labels taken from 48 dates earlier score +0.11, and labels taken from 96 dates earlier score
/// +0.01.
const LOOK_BACK_DATES: usize = 252;
/// The look-back is at most the number of dates divided by this number, so that some shifts remain
/// if there are few dates.
const LOOK_BACK_SHARE: usize = 3;
/// Number of shifts that are fitted between two progress reports.
const BATCH: usize = 4;

/// Comparison of the real label with the same label shifted along the dates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelShifts {
    /// Number of shifts that were tried.
    pub n_shifts: usize,
    /// Score of the family's prior on the real label.
    pub score: Option<Finite>,
    /// Scores on the shifted labels, in the order of the shifts; missing scores are left out, and
    /// `reasons` explains them.
    pub shifted_scores: Vec<Finite>,
    /// Rank of the real score among all scores; 1 is the best. Shifted labels with an equal score
    /// rank before the real label.
    pub rank: Option<usize>,
    /// The rank divided by the number of scores: the probability of this rank or a better one if
    /// the label cannot be forecast.
    pub p_value: Option<Finite>,
    /// Interpretation of the figures in one sentence.
    pub reading: String,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Fits the prior of the lead family on every shifted label, and ranks the real score.
///
/// # Errors
/// Returns a failure if the job is cancelled.
pub(super) fn run(
    context: &SearchContext<'_>,
    outcome: &SearchResult,
    lead: &Family<'_>,
    on_shifts: &dyn Fn(usize, usize),
) -> Result<LabelShifts, JobError> {
    let label_idx = outcome.label_idx;
    let label = &context.labels[label_idx];
    let rows = &context.splits[label_idx].development.train_rows;
    // This is the score of the prior, not of the tuned configuration, because the shifted labels
    // are fitted with the prior too.
    let score = outcome.labels[label_idx].score.map(Finite::get);
    let scored = match outcome.too_rare() {
        Some(reason) => Err(reason),
        None => score.ok_or_else(|| UndefinedError::because("the prior has no score on the label")),
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
            // The models of the job exist already, so if the family fails here, only the rank is
            // missing.
            Err(error) => return Ok(without_rank(Some(score), N_SHIFTS, &UndefinedError::because(error.to_string()))),
        }
        on_shifts(scores.len(), N_SHIFTS);
    }
    Ok(rank(score, &scores))
}

/// Returns the numbers of dates to shift by. The shifts are evenly spaced, and each one exceeds the
/// label's horizon in both directions, because shifts wrap around. No row receives the label of a
/// date within the look-back of its features; the look-back is limited to a third of the dates.
///
/// # Errors
/// Returns the reason if there are too few dates for this number of shifts.
pub(super) fn shifts(table: &FeatureTable, label: &Label, rows: &[u32]) -> Result<Vec<usize>, UndefinedError> {
    let n_dates = Dates::from_rows(&table.day, rows).len();
    let horizon_dates = block_dates(label) / 2;
    let nearest = (horizon_dates + 1).max(n_dates / (N_SHIFTS + 1));
    // Shifts wrap around, so a shift by nearly all dates gives a row the label of a date shortly
    // before it.
    let look_back = (horizon_dates + 1).max(LOOK_BACK_DATES.min(n_dates / LOOK_BACK_SHARE));
    let span = n_dates.saturating_sub(nearest + look_back);
    // With a shorter span, rounding would repeat a shift.
    if span < N_SHIFTS - 1 {
        let reason = format!(
            "{n_dates} dates are too few for {N_SHIFTS} shifts of more than {horizon_dates} dates in both directions"
        );
        return Err(UndefinedError::because(reason));
    }
    Ok((0..N_SHIFTS).map(|idx| nearest + idx * span / (N_SHIFTS - 1)).collect())
}

/// Moves the label's values back by `n_dates` within each symbol's `rows`; the values of the first
/// dates wrap around to the last dates. Returns one value per row of the table, NaN outside `rows`.
/// The values of a symbol with fewer dates wrap around earlier.
pub(super) fn shifted(table: &FeatureTable, label: &Label, rows: &[u32], n_dates: usize) -> Vec<f32> {
    let mut value = vec![f32::NAN; table.n_rows()];
    for symbol_rows in rows.chunk_by(|&a, &b| table.symbol[a as usize] == table.symbol[b as usize]) {
        // An intraday date has many rows, and all dates have about the same number, so the offset
        // in rows is proportional to the number of dates.
        let n_rows = symbol_rows.len();
        // The rows of a chunk have at least one date, so `max(1)` only rules out a division by
        // zero.
        let offset = n_dates * n_rows / Dates::from_rows(&table.day, symbol_rows).len().max(1);
        for (idx, &row) in symbol_rows.iter().enumerate() {
            value[row as usize] = label.value[symbol_rows[(idx + offset) % n_rows] as usize];
        }
    }
    value
}

/// Ranks the real score among the scores of the shifted labels.
fn rank(score: f64, shifted: &[PriorScore]) -> LabelShifts {
    let scores: Vec<f64> = shifted.iter().filter_map(PriorScore::value).collect();
    let first_failure = shifted.iter().find_map(PriorScore::reason);
    if scores.is_empty() {
        let reason = first_failure.unwrap_or("no shift was tried");
        return without_rank(Some(score), shifted.len(), &UndefinedError::because(reason));
    }
    let mut reasons = Reasons::default();
    if let Some(reason) = first_failure {
        let n_missing = shifted.len() - scores.len();
        let missing = format!("{n_missing} of {} shifts have no score: {reason}", shifted.len());
        reasons.figure("shifted_scores", Err(UndefinedError::because(missing)));
    }
    // A shifted label with an equal score counts against the real label.
    // The real score is counted among the scores, so the p-value is never 0 (Phipson and Smyth,
    // *Permutation P-values Should Never Be Zero*, 2010).
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

/// Returns the interpretation of a rank in one sentence.
pub(super) fn read(score: f64, n_as_good: usize, n_scores: usize) -> String {
    match n_as_good {
        0 => format!(
            "the real label scores {score:+.3}, more than each of the {n_scores} shifted labels: the model found \
             information about it"
        ),
        _ => format!(
            "the real label scores {score:+.3}, and {n_as_good} of {n_scores} shifted labels, which cannot be forecast, \
             score at least as much: the score may be chance"
        ),
    }
}

/// Returns the figures of a comparison without a rank, with the reason.
fn without_rank(score: Option<f64>, n_shifts: usize, reason: &UndefinedError) -> LabelShifts {
    let mut reasons = Reasons::default();
    LabelShifts {
        n_shifts,
        score: reasons.figure("score", score.ok_or_else(|| reason.clone())),
        shifted_scores: Vec::new(),
        rank: reasons.value("rank", Err(reason.clone())),
        p_value: reasons.figure("p_value", Err(reason.clone())),
        reading: format!("the label cannot be compared with shifted labels: {reason}"),
        reasons,
    }
}
