//! Random numbers that depend on a seed and a purpose and on nothing else: not on platform, threads or crate versions.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

/// A generator of its own for each purpose, so that one more draw here shifts no draw there.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The generator of a seed for a purpose, keyed by SHA-256 over both.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(purpose).finalize();
        Self(ChaCha8Rng::from_seed(key.into()))
    }

    /// A number from 0 (included) to 1 (excluded), on a grid of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * 2.0_f64.powi(-53)
    }

    /// A whole number below `end`; 0 where `end` is 0.
    ///
    /// Multiply and shift; its bias is below `end / 2⁶⁴`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }
}
