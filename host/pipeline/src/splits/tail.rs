//! The tail: the end of a training part, held back for early stopping.

use std::collections::BTreeSet;

use super::classes::class_counts;
use crate::{features::FeatureTable, labels::Label};

/// Share of a training part's dates that belong to the tail.
pub(crate) const TAIL_SHARE: f64 = 0.15;
/// Dates that the fitting part must keep.
const MIN_FIT_DATES: usize = 200;

/// Splits a training part into rows to fit on and, later, rows to tune on.
///
/// The tail is the last `share` of the part's dates, and the fitting part is purged: its labels are
/// known before the tail starts. `None` where the fitting part would keep fewer than 200 dates, or
/// the tail fewer than 10 positives, 10 negatives or 3 episodes: such a tail costs more rows than
/// its information is worth.
pub(crate) fn tail(
    table: &FeatureTable,
    label: &Label,
    train_rows: &[u32],
    share: f64,
) -> Option<(Vec<u32>, Vec<u32>)> {
    let dates = dates_of(table, train_rows);
    let n_tail = (dates.len() as f64 * share).ceil() as usize;
    let tail_start = *dates.get(dates.len().checked_sub(n_tail)?)?;
    let (before, tune_rows): (Vec<u32>, Vec<u32>) =
        train_rows.iter().partition(|&&row| table.day[row as usize] < tail_start);
    let fit_rows: Vec<u32> = before.into_iter().filter(|&row| label.known_day[row as usize] < tail_start).collect();
    let is_useful =
        dates_of(table, &fit_rows).len() >= MIN_FIT_DATES && class_counts(table, label, &tune_rows).suffice(1);
    is_useful.then_some((fit_rows, tune_rows))
}

fn dates_of(table: &FeatureTable, rows: &[u32]) -> Vec<i32> {
    rows.iter().map(|&row| table.day[row as usize]).collect::<BTreeSet<_>>().into_iter().collect()
}
