//! Scores of out-of-fold predictions, and a test of whether one set of scores is better than
//! another by more than chance.

use super::context::SearchContext;
use crate::{
    labels::Label,
    metrics::{Dates, Random, Ranking, Resamples, ScoredRow, UndefinedError, block_dates, standard_error},
};

/// Number of blocks from which one standard error is enough for a clear gain.
const MANY_BLOCKS: f64 = 8.0;

/// The difference between two sets of scores on the same resampled dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Difference of the two scores.
    pub value: f64,
    /// Standard error of the difference by the paired date-block bootstrap.
    pub standard_error: f64,
    /// Number of blocks of dates.
    pub n_blocks: f64,
}

impl Gain {
    /// Returns whether the difference is more than one standard error; two, if it comes from fewer
    /// than eight blocks of dates, whose standard error is itself uncertain.
    pub fn is_clear(&self) -> bool {
        self.value > self.n_standard_errors() * self.standard_error
    }

    /// Returns how many standard errors a clear gain exceeds.
    pub fn n_standard_errors(&self) -> f64 {
        if self.n_blocks < MANY_BLOCKS { 2.0 } else { 1.0 }
    }
}

/// Scores to compare by the AUC of the pooled rows.
#[derive(Clone)]
pub(crate) struct Contender<'a> {
    /// The label that the scores forecast.
    pub(crate) label: &'a Label,
    /// The compared rows, usually the validation rows of all folds.
    pub(crate) rows: &'a [u32],
    /// One score per row of the table. Scores of several models are in deviations, so that they can
    /// be pooled.
    pub(crate) scores: &'a [f32],
    /// The baseline's scores, one per row of the table; without a baseline its AUC is taken as 0.5.
    pub(crate) baseline: Option<&'a [f32]>,
}

/// The AUC of some scores, and the AUC of the baseline on the same rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Excess {
    /// AUC of the scores.
    pub(crate) auc: f64,
    /// AUC of the baseline.
    pub(crate) baseline_auc: Option<f64>,
}

impl Excess {
    /// Returns the AUC minus the larger of 0.5 and the baseline's AUC.
    pub(crate) fn score(&self) -> f64 {
        // A baseline below 0.5 would otherwise be credited to the model.
        self.auc - self.baseline_auc.map_or(0.5, |auc| auc.max(0.5))
    }
}

/// A contender whose rows are sorted once, for all resamples.
struct RankedContender {
    scores: Ranking,
    baseline: Option<Ranking>,
}

impl RankedContender {
    fn new(contender: &Contender<'_>, date_idx: impl Fn(u32) -> u32) -> Self {
        let rank = |scores: &[f32]| -> Ranking {
            let row = |&row: &u32| ScoredRow {
                score: scores[row as usize],
                label: contender.label.value[row as usize],
                date_idx: date_idx(row),
            };
            Ranking::new(contender.rows.iter().map(row))
        };
        Self { scores: rank(contender.scores), baseline: contender.baseline.map(rank) }
    }

    /// Returns the AUCs; `None` if the rows do not have both classes under these counts.
    fn excess(&self, date_counts: Option<&[u32]>) -> Option<Excess> {
        let baseline_auc = self.baseline.as_ref().and_then(|ranking| ranking.auc(date_counts));
        self.scores.auc(date_counts).map(|auc| Excess { auc, baseline_auc })
    }
}

/// Computes the AUC of a contender and of its baseline.
///
/// # Errors
/// Returns the reason if a row lacks a score, or if the rows lack a class.
pub(super) fn excess(contender: &Contender<'_>) -> Result<Excess, UndefinedError> {
    // Trials are compared on the same rows, so a missing score is an error here.
    let n_rows = contender.rows.len();
    let n_missing = contender.rows.iter().filter(|&&row| contender.scores[row as usize].is_nan()).count();
    if n_missing > 0 {
        return Err(UndefinedError::because(format!("{n_missing} of {n_rows} validation rows have no score")));
    }
    // Dates matter for resampling only.
    RankedContender::new(contender, |_| 0)
        .excess(None)
        .ok_or_else(|| UndefinedError::because(format!("the {n_rows} validation rows do not have both classes")))
}

/// Computes the gain of `better` over `other`, with its standard error over 1,000 resamples. Both
/// contenders use the same resampled dates.
///
/// The models are not refitted: the error measures the effect of the dates on two given sets of
/// predictions, not the effect of other training rows.
///
/// # Errors
/// Returns the reason if either contender has no score, or if the dates are too few for a standard
/// error.
pub(crate) fn gain(
    context: &SearchContext<'_>,
    better: &Contender<'_>,
    other: &Contender<'_>,
) -> Result<Gain, UndefinedError> {
    let day = &context.table.day;
    // If two labels have different horizons, their validation rows differ, so the dates of both are
    // resampled.
    let rows: Vec<u32> = better.rows.iter().chain(other.rows).copied().collect();
    let dates = Dates::from_rows(day, &rows);
    let date_idx = |row: u32| dates.index(day[row as usize]);
    let first = RankedContender::new(better, date_idx);
    let second = RankedContender::new(other, date_idx);
    let difference = |counts: Option<&[u32]>| Some(first.excess(counts)?.score() - second.excess(counts)?.score());

    // The two labels may have different horizons; blocks must be long enough for the longer one.
    let block = block_dates(better.label).max(block_dates(other.label));
    let resamples = Resamples::draw(dates.len(), block, Random::new(context.seed, "paired comparison"))?;
    let value = difference(None).ok_or_else(|| UndefinedError::because("one of the two sets of scores has no AUC"))?;
    let standard_error = standard_error(&resamples.map(|counts| difference(Some(counts)))?)?;
    Ok(Gain { value, standard_error, n_blocks: resamples.n_blocks() })
}
