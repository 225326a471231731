//! Parts of the training time: whole blocks of dates, over all symbols together.
//!
//! Rows side by side share bars of their labels; blocks are drawn, not rows, so that a subsample is news.

use oculus_plugin_api::prelude::*;

use crate::random::{Purpose, Random};
use crate::row_set::RowSet;

/// Blocks that the training dates are cut into.
const N_BLOCKS: usize = 20;
/// Blocks of a subsample.
const N_DRAWN: usize = 14;

/// The training rows of each subsample.
pub fn draw(table: &Table<'_>, task: &Task<'_>, n_subsamples: usize) -> Vec<RowSet> {
    let block = blocks(table, task.train_rows);
    let subsample = |subsample_idx| {
        let mut order: Vec<usize> = (0..N_BLOCKS).collect();
        Random::new(task.seed, Purpose::Blocks, subsample_idx).shuffle(&mut order);
        let drawn = &order[..N_DRAWN];
        RowSet::of(block.len(), |place| drawn.contains(&block[place]))
    };
    (0..n_subsamples).map(subsample).collect()
}

/// The block of each training row; blocks have equally many dates, within one.
fn blocks(table: &Table<'_>, train_rows: &[u32]) -> Vec<usize> {
    let day = |row: &u32| table.day()[*row as usize];
    let mut days: Vec<i32> = train_rows.iter().map(day).collect();
    days.sort_unstable();
    days.dedup();
    let block = |row| days.partition_point(|&other| other < day(row)) * N_BLOCKS / days.len();
    train_rows.iter().map(block).collect()
}
