//! Random numbers that depend only on a seed and a purpose, and not on the platform, threads or
//! crate versions.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

/// A generator of random numbers for one purpose. Each purpose has a separate generator, so an
/// additional draw for one does not shift the draws for another.
pub struct Random(ChaCha8Rng);

impl Random {
    /// Creates the generator for a purpose; its key is the SHA-256 of the seed and the purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(purpose).finalize();
        Self(ChaCha8Rng::from_seed(key.into()))
    }

    /// Returns a number from 0 (inclusive) to 1 (exclusive), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        // A double has 53 significant bits, so the upper 53 bits of the draw are converted without
        // rounding.
        (self.0.next_u64() >> 11) as f64 * 2.0_f64.powi(-53)
    }

    /// Returns an integer from 0 to `end - 1`; 0 if `end` is 0.
    ///
    /// The number is computed by multiplication and shift, without rejection: the bias is below
    /// `end / 2⁶⁴`, and every call uses exactly one draw.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }
}
