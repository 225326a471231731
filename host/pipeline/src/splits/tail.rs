//! Splits off the tail of a set of training rows, which is reserved for early stopping.
//!
//! In: the training rows of a fold or of the final fit. Out: rows to fit on and rows to tune on.
//! Invariant: the labels of the fitted rows are known before the tail starts.

use std::collections::BTreeSet;

use super::classes::{MinCounts, class_counts};
use crate::{features::FeatureTable, labels::Label};

/// Share of the training dates that belong to the tail.
pub(crate) const TAIL_SHARE: f64 = 0.15;
/// Smallest number of dates to fit on.
const MIN_FIT_DATES: usize = 100;

/// Splits training rows into rows to fit on and rows to tune on.
///
/// The rows to tune on are the tail: the rows of the last `share` of the dates. The rows to fit on
/// are purged: their labels are known before the tail starts.
///
/// Returns `None` if fewer than 100 dates would remain to fit on, or if the tail would have fewer
/// than 10 positives, 10 negatives or 3 episodes. Such a tail costs more rows than its information
/// is worth.
pub(crate) fn tail(
    table: &FeatureTable,
    label: &Label,
    train_rows: &[u32],
    share: f64,
) -> Option<(Vec<u32>, Vec<u32>)> {
    let dates = dates_of(table, train_rows);
    // The number is rounded up, so that any positive share is at least one date.
    let n_tail = (dates.len() as f64 * share).ceil() as usize;
    let tail_start = *dates.get(dates.len().checked_sub(n_tail)?)?;
    let (before, tune_rows): (Vec<u32>, Vec<u32>) =
        train_rows.iter().partition(|&&row| table.day[row as usize] < tail_start);
    // This is the purge: early stopping must not see bars from which a fitted label was computed.
    let fit_rows: Vec<u32> = before.into_iter().filter(|&row| label.known_day[row as usize] < tail_start).collect();
    let is_useful = dates_of(table, &fit_rows).len() >= MIN_FIT_DATES
        && class_counts(table, label, &tune_rows).suffice(MinCounts::TUNE);
    is_useful.then_some((fit_rows, tune_rows))
}

fn dates_of(table: &FeatureTable, rows: &[u32]) -> Vec<i32> {
    rows.iter().map(|&row| table.day[row as usize]).collect::<BTreeSet<_>>().into_iter().collect()
}
