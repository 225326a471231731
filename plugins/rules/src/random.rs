//! The random streams of a call.

use oculus_plugin_support::{Draws, IndexMethod};

/// What the draws are for. Each has streams of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which blocks of dates trees are grown on.
    Subsamples = 0,
    /// Which columns a tree sees.
    Columns = 1,
    /// Which rows a tree sees.
    Rows = 2,
    /// Which blocks of dates a half has.
    Halves = 3,
}

/// Starts the stream of one purpose and one part of the time.
pub(crate) fn draws(seed: u64, purpose: Purpose, part_idx: usize) -> Draws {
    Draws::new(seed, (purpose as u64) << 32 | part_idx as u64, IndexMethod::Scaled64)
}
