//! Draws parts of the training time. A part consists of whole blocks of dates and contains all
//! symbols.
//!
//! The labels of neighbouring rows depend on common bars. Whole blocks are drawn, not single rows,
//! so that the rows outside a part are almost independent of the rows inside.

use oculus_plugin_api::prelude::*;

use crate::random::{self, Purpose};
use crate::row_set::RowSet;

/// Number of blocks into which the training dates are divided. Each half of the dates has ten.
const N_BLOCKS: usize = 20;
/// Number of blocks in a subsample, on which trees are grown.
const N_DRAWN: usize = 14;

/// Blocks of training dates.
pub(crate) struct Blocks {
    /// For each training row, the index of its block.
    row_blocks: Vec<usize>,
    seed: u64,
}

impl Blocks {
    /// Divides the training dates into blocks whose numbers of dates differ by at most one.
    pub(crate) fn new(table: &Table<'_>, task: &Task<'_>) -> Self {
        let day = |row: &u32| table.day()[*row as usize];
        let mut days: Vec<i32> = task.train_rows.iter().map(day).collect();
        days.sort_unstable();
        days.dedup();
        // `days` is not empty here: a task has at least one training row.
        let block = |row| days.partition_point(|&other| other < day(row)) * N_BLOCKS / days.len();
        Self { row_blocks: task.train_rows.iter().map(block).collect(), seed: task.seed }
    }

    /// Returns the number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        N_BLOCKS
    }

    /// Returns the index of the block of each training row.
    pub(crate) fn row_blocks(&self) -> &[usize] {
        &self.row_blocks
    }

    /// Draws subsamples and returns the training rows of each.
    pub(crate) fn subsamples(&self, n_subsamples: usize) -> Vec<RowSet> {
        let subsample = |subsample_idx| {
            // The first blocks of a shuffled list are a draw without replacement.
            let drawn = &self.shuffled(Purpose::Subsamples, subsample_idx)[..N_DRAWN];
            RowSet::from_fn(self.row_blocks.len(), |idx| drawn.contains(&self.row_blocks[idx]))
        };
        (0..n_subsamples).map(subsample).collect()
    }

    /// Draws pairs of complementary halves and returns the blocks of each half. The two halves of a
    /// pair share no block.
    pub(crate) fn halves(&self, n_halves: usize) -> Vec<Vec<usize>> {
        let pair = |pair_idx| {
            // The two halves of a pair share no block, as the method requires.
            let order = self.shuffled(Purpose::Halves, pair_idx);
            let (first, second) = order.split_at(N_BLOCKS / 2);
            [first.to_vec(), second.to_vec()]
        };
        (0..n_halves / 2).flat_map(pair).collect()
    }

    fn shuffled(&self, purpose: Purpose, part_idx: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..N_BLOCKS).collect();
        random::draws(self.seed, purpose, part_idx).shuffle(&mut order);
        order
    }
}
