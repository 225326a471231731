//! All chance of a call, from its seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What the draws are for. Each has streams of its own.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Which blocks of dates trees are grown on.
    Subsamples = 0,
    /// Which columns a tree sees.
    Columns = 1,
    /// Which rows a tree sees.
    Rows = 2,
    /// Which blocks of dates a half has.
    Halves = 3,
}

/// A stream of random numbers.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of one purpose and one part of the time.
    pub fn new(seed: u64, purpose: Purpose, part_idx: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream((purpose as u64) << 32 | part_idx as u64);
        Self(generator)
    }

    /// Puts `items` in any order, all equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    /// A number from 0 up to, not including, `end`. Multiply and shift; its bias is below `end / 2⁶⁴`.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }
}
