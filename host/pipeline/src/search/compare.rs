//! Scores of out-of-fold predictions, and whether one set beats another by more than chance.

use super::context::SearchContext;
use crate::{
    labels::Label,
    metrics::{Dates, Random, Ranking, Resamples, ScoredRow, Undefined, block_dates, standard_error},
};

/// The difference between two sets of scores on the same resampled dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The difference.
    pub value: f64,
    /// Its standard error by the paired date-block bootstrap.
    pub standard_error: f64,
}

impl Gain {
    /// Returns whether the difference is more than one standard error.
    pub fn is_clear(&self) -> bool {
        self.value > self.standard_error
    }
}

/// Scores to be compared: AUC is taken in each group of rows, then averaged.
#[derive(Clone)]
pub(crate) struct Contender<'a> {
    /// The label that the scores forecast.
    pub(crate) label: &'a Label,
    /// Rows of each group: the validation rows of each fold, or one group for a pooled AUC.
    pub(crate) groups: Vec<&'a [u32]>,
    /// One per row of the table.
    pub(crate) scores: &'a [f32],
    /// The baseline's scores, one per row of the table; an absent baseline has an AUC of 0.5.
    pub(crate) baseline: Option<&'a [f32]>,
}

/// A mean AUC and that of the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Excess {
    /// Mean over the groups.
    pub(crate) auc: f64,
    /// Mean over the groups of the baseline.
    pub(crate) baseline_auc: Option<f64>,
}

impl Excess {
    /// AUC beyond the baseline, or beyond 0.5 where that is more.
    pub(crate) fn score(&self) -> f64 {
        self.auc - self.baseline_auc.map_or(0.5, |auc| auc.max(0.5))
    }
}

/// A contender whose rows are ranked once, for all resamples.
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

    /// Returns the mean AUCs; `None` where no group has both classes under these counts.
    fn excess(&self, date_counts: Option<&[u32]>) -> Option<Excess> {
        let baseline_auc = self.baseline.as_ref().and_then(|rankings| mean_auc(rankings, date_counts));
        mean_auc(&self.scores, date_counts).map(|auc| Excess { auc, baseline_auc })
    }
}

/// Returns the mean over the groups in which both classes are drawn; `None` where there is no such group.
fn mean_auc(rankings: &[Ranking], date_counts: Option<&[u32]>) -> Option<f64> {
    let aucs: Vec<f64> = rankings.iter().filter_map(|ranking| ranking.auc(date_counts)).collect();
    (!aucs.is_empty()).then(|| aucs.iter().sum::<f64>() / aucs.len() as f64)
}

/// Computes the mean AUC and that of the baseline.
///
/// # Errors
/// If a group lacks a class or its scores.
pub(super) fn excess(contender: &Contender<'_>) -> Result<Excess, Undefined> {
    let ranked = RankedContender::new(contender, |_| 0);
    let incomplete = ranked.scores.iter().position(|ranking| ranking.auc(None).is_none());
    match (incomplete, ranked.excess(None)) {
        (None, Some(excess)) => Ok(excess),
        (incomplete, _) => {
            let fold = incomplete.unwrap_or(0) + 1;
            Err(Undefined::because(format!("fold {fold} has no AUC: a class or the scores are missing")))
        }
    }
}

/// Computes the gain of `better` over `other`, with its standard error over 1,000 resamples of the
/// same dates for both.
///
/// Blocks of the dates of all folds are resampled. Each resample compares the means of the groups'
/// AUCs, as the score does. One AUC of all pooled predictions would mix models of different scales.
/// The models are not refitted: the error measures the effect of the dates on two given sets of
/// predictions, not the effect of other training rows.
///
/// # Errors
/// If either has no score, or the dates are too few for a standard error.
pub(crate) fn gain(
    context: &SearchContext<'_>,
    better: &Contender<'_>,
    other: &Contender<'_>,
) -> Result<Gain, Undefined> {
    let day = &context.table.day;
    let rows: Vec<u32> = better.groups.iter().chain(&other.groups).flat_map(|rows| rows.iter().copied()).collect();
    let dates = Dates::from_rows(day, &rows);
    let date_idx = |row: u32| dates.index(day[row as usize]);
    let first = RankedContender::new(better, date_idx);
    let second = RankedContender::new(other, date_idx);
    let difference = |counts: Option<&[u32]>| Some(first.excess(counts)?.score() - second.excess(counts)?.score());

    let block = block_dates(better.label).max(block_dates(other.label));
    let resamples = Resamples::draw(dates.len(), block, Random::new(context.seed, "paired comparison"))?;
    let value = difference(None).ok_or_else(|| Undefined::because("one of the two has no AUC"))?;
    Ok(Gain { value, standard_error: standard_error(&resamples.map(|counts| difference(Some(counts)))?)? })
}
