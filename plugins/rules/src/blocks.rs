//! Parts of the training time: whole blocks of dates, over all symbols together.
//!
//! Rows side by side share bars of their labels; blocks are drawn, not rows, so that a part is news.

use oculus_plugin_api::prelude::*;

use crate::random::{self, Purpose};
use crate::row_set::RowSet;

/// Blocks that the training dates are cut into; a half has ten.
const N_BLOCKS: usize = 20;
/// Blocks that trees are grown on.
const N_DRAWN: usize = 14;

/// The block of each training row.
pub(crate) struct Blocks {
    of_rows: Vec<usize>,
    seed: u64,
}

impl Blocks {
    /// Cuts the training dates; blocks have equally many, within one.
    pub(crate) fn new(table: &Table<'_>, task: &Task<'_>) -> Self {
        let day = |row: &u32| table.day()[*row as usize];
        let mut days: Vec<i32> = task.train_rows.iter().map(day).collect();
        days.sort_unstable();
        days.dedup();
        let block = |row| days.partition_point(|&other| other < day(row)) * N_BLOCKS / days.len();
        Self { of_rows: task.train_rows.iter().map(block).collect(), seed: task.seed }
    }

    /// Blocks there are.
    pub(crate) fn n_blocks(&self) -> usize {
        N_BLOCKS
    }

    /// The block of each training row.
    pub(crate) fn of_rows(&self) -> &[usize] {
        &self.of_rows
    }

    /// The training rows of each subsample.
    pub(crate) fn subsamples(&self, n_subsamples: usize) -> Vec<RowSet> {
        let subsample = |subsample_idx| {
            let drawn = &self.shuffled(Purpose::Subsamples, subsample_idx)[..N_DRAWN];
            RowSet::from_fn(self.of_rows.len(), |place| drawn.contains(&self.of_rows[place]))
        };
        (0..n_subsamples).map(subsample).collect()
    }

    /// The blocks of each half; every second half is what the one before lacks.
    pub(crate) fn halves(&self, n_halves: usize) -> Vec<Vec<usize>> {
        let pair = |pair_idx| {
            let order = self.shuffled(Purpose::Halves, pair_idx);
            let (one, other) = order.split_at(N_BLOCKS / 2);
            [one.to_vec(), other.to_vec()]
        };
        (0..n_halves / 2).flat_map(pair).collect()
    }

    fn shuffled(&self, purpose: Purpose, part_idx: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..N_BLOCKS).collect();
        random::draws(self.seed, purpose, part_idx).shuffle(&mut order);
        order
    }
}
