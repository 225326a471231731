//! The random streams of one extraction.

use oculus_plugin_support::{Draws, IndexMethod};

/// The purpose of a random stream. Each purpose has separate streams, so that a change to one does
/// not affect another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Blocks of dates of a subsample.
    Subsamples = 0,
    /// Columns of a tree.
    Columns = 1,
    /// Rows of a tree.
    Rows = 2,
    /// Blocks of dates of a half.
    Halves = 3,
}

/// Starts the random stream of one purpose for one part of the training time.
pub(crate) fn draws(seed: u64, purpose: Purpose, part_idx: usize) -> Draws {
    // The upper 32 bits of the stream number are the purpose, and the lower 32 bits are the part,
    // so no two streams are equal.
    Draws::new(seed, (purpose as u64) << 32 | part_idx as u64, IndexMethod::Scaled64)
}
