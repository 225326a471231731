//! Random numbers that depend only on the seed and a purpose.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a random number. An additional draw for one purpose does not shift the draws
/// for another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The schedule of faults.
    Schedule,
    /// The jobs.
    Jobs,
}

/// A generator of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Creates the generator of a purpose.
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// Returns an integer from 0 to `end - 1`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.0.next_u64()) * end as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// Returns a number from `low` (inclusive) to `high` (exclusive).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 * 2.0_f64.powi(-53);
        low + unit * (high - low)
    }

    /// Returns true in `n` of 1000 draws on average.
    pub(crate) fn per_mille(&mut self, n: u32) -> bool {
        self.below(1000) < n as usize
    }

    /// Shuffles a slice (Fisher-Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}
