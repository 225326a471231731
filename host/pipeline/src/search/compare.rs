//! Scores of out-of-fold predictions, and a test of whether one set of scores is better than
//! another by more than chance.

use super::context::SearchContext;
use crate::{
    labels::Label,
    metrics::{Dates, Random, Ranking, Resamples, ScoredRow, UndefinedError, block_dates, standard_error},
};

/// The difference between two sets of scores on the same resampled dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Difference of the two scores.
    pub value: f64,
    /// Standard error of the difference by the paired date-block bootstrap.
    pub standard_error: f64,
}

impl Gain {
    /// Returns whether the difference is more than one standard error.
    pub fn is_clear(&self) -> bool {
        self.value > self.standard_error
    }
}

/// Scores to compare: the AUC is computed within each group of rows, then averaged.
#[derive(Clone)]
pub(crate) struct Contender<'a> {
    /// The label that the scores forecast.
    pub(crate) label: &'a Label,
    /// Rows of each group: the validation rows of each fold, or one group for a pooled AUC.
    pub(crate) groups: Vec<&'a [u32]>,
    /// One score per row of the table.
    pub(crate) scores: &'a [f32],
    /// The baseline's scores, one per row of the table; without a baseline its AUC is taken as 0.5.
    pub(crate) baseline: Option<&'a [f32]>,
}

/// The mean AUC of some scores, and the mean AUC of the baseline on the same rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Excess {
    /// Mean AUC over the groups.
    pub(crate) auc: f64,
    /// Mean AUC of the baseline over the groups.
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
    scores: Vec<Ranking>,
    baseline: Option<Vec<Ranking>>,
}

impl RankedContender {
    fn new(contender: &Contender<'_>, date_idx: impl Fn(u32) -> u32) -> Self {
        let rank = |scores: &[f32]| -> Vec<Ranking> {
            let row = |&row: &u32| ScoredRow {
                score: scores[row as usize],
                label: contender.label.value[row as usize],
                date_idx: date_idx(row),
            };
            contender.groups.iter().map(|rows| Ranking::new(rows.iter().map(row))).collect()
        };
        Self { scores: rank(contender.scores), baseline: contender.baseline.map(rank) }
    }

    /// Returns the mean AUCs; `None` if none of the groups has both classes under these counts.
    fn excess(&self, date_counts: Option<&[u32]>) -> Option<Excess> {
        let baseline_auc = self.baseline.as_ref().and_then(|rankings| mean_auc(rankings, date_counts));
        mean_auc(&self.scores, date_counts).map(|auc| Excess { auc, baseline_auc })
    }
}

/// Returns the mean AUC over the groups in which both classes are drawn; `None` if there is no such
/// group.
fn mean_auc(rankings: &[Ranking], date_counts: Option<&[u32]>) -> Option<f64> {
    let aucs: Vec<f64> = rankings.iter().filter_map(|ranking| ranking.auc(date_counts)).collect();
    (!aucs.is_empty()).then(|| aucs.iter().sum::<f64>() / aucs.len() as f64)
}

/// Computes the mean AUC of a contender and of its baseline.
///
/// # Errors
/// Returns the reason if a group lacks a class or its scores.
pub(super) fn excess(contender: &Contender<'_>) -> Result<Excess, UndefinedError> {
    // Dates matter for resampling only.
    let ranked = RankedContender::new(contender, |_| 0);
    // Trials are compared by means over the same folds, so a fold without an AUC is an error here.
    // A resample may by chance lack a class in a fold; the mean is then over the other folds.
    let incomplete = ranked.scores.iter().position(|ranking| ranking.auc(None).is_none());
    match (incomplete, ranked.excess(None)) {
        (None, Some(excess)) => Ok(excess),
        (incomplete, _) => {
            let fold = incomplete.unwrap_or(0) + 1;
            Err(UndefinedError::because(format!("fold {fold} has no AUC: a class or the scores are missing")))
        }
    }
}

/// Computes the gain of `better` over `other`, with its standard error over 1,000 resamples. Both
/// contenders use the same resampled dates.
///
/// Blocks of the dates of all folds are resampled. Each resample compares the means of the groups'
/// AUCs, because the score is such a mean too. One AUC of all pooled predictions would mix models
/// of different scales. The models are not refitted: the error measures the effect of the dates on
/// two given sets of predictions, not the effect of other training rows.
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
    let rows: Vec<u32> = better.groups.iter().chain(&other.groups).flat_map(|rows| rows.iter().copied()).collect();
    let dates = Dates::from_rows(day, &rows);
    let date_idx = |row: u32| dates.index(day[row as usize]);
    let first = RankedContender::new(better, date_idx);
    let second = RankedContender::new(other, date_idx);
    let difference = |counts: Option<&[u32]>| Some(first.excess(counts)?.score() - second.excess(counts)?.score());

    // The two labels may have different horizons; blocks must be long enough for the longer one.
    let block = block_dates(better.label).max(block_dates(other.label));
    let resamples = Resamples::draw(dates.len(), block, Random::new(context.seed, "paired comparison"))?;
    let value = difference(None).ok_or_else(|| UndefinedError::because("one of the two sets of scores has no AUC"))?;
    Ok(Gain { value, standard_error: standard_error(&resamples.map(|counts| difference(Some(counts)))?)? })
}
