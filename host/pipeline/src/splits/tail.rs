//! The end of a training part, held back to stop boosting or epochs early.

use std::collections::BTreeSet;

use super::class_counts;
use crate::{features::FeatureTable, labels::Label};

/// Share of a training part's dates that the tail takes.
pub const TAIL_SHARE: f64 = 0.15;
/// Dates that the fitting part must keep.
const MIN_FIT_DATES: usize = 200;

/// Splits a training part into rows to fit on and, later, rows to tune on.
///
/// The tail is the last `share` of the part's dates; the fitting part is purged against it. `None` where the fitting
/// part would keep fewer than 200 dates, or the tail fewer than 10 positives, 10 negatives or 3 episodes: then a tail
/// costs more than it tells.
pub fn tail(table: &FeatureTable, label: &Label, train_rows: &[u32], share: f64) -> Option<(Vec<u32>, Vec<u32>)> {
    let dates = dates_of(table, train_rows);
    let n_tail = (dates.len() as f64 * share).ceil() as usize;
    let tail_start = *dates.get(dates.len().checked_sub(n_tail)?)?;
    let (before, tune_rows): (Vec<u32>, Vec<u32>) =
        train_rows.iter().partition(|&&row| table.day[row as usize] < tail_start);
    let fit_rows: Vec<u32> = before.into_iter().filter(|&row| label.known_day[row as usize] < tail_start).collect();
    let serves = dates_of(table, &fit_rows).len() >= MIN_FIT_DATES && class_counts(table, label, &tune_rows).suffice(1);
    serves.then_some((fit_rows, tune_rows))
}

fn dates_of(table: &FeatureTable, rows: &[u32]) -> Vec<i32> {
    rows.iter().map(|&row| table.day[row as usize]).collect::<BTreeSet<_>>().into_iter().collect()
}
