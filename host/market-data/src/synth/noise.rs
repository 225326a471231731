//! Seeded normal numbers.
//!
//! In: a seed and a stream. Out: normal numbers. Invariant: the numbers are the same on every
//! machine.

use oculus_plugin_api::testing::Noise as RandomBits;

/// Draws of a bar: return, opening gap, upper wick, lower wick, volume.
pub(super) type Draws = [f64; 5];

/// Normal numbers from SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Noise(RandomBits);

impl Noise {
    /// Creates the noise of one stream of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(RandomBits::new(seed.wrapping_mul(1_000_003).wrapping_add(stream)))
    }

    /// Returns the draws of one bar.
    pub(super) fn draws(&mut self) -> Draws {
        std::array::from_fn(|_| self.normal())
    }

    /// Returns a uniform number from 0, which is excluded, to 1.
    fn uniform(&mut self) -> f64 {
        ((self.0.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a standard normal number (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
