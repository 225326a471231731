//! A random stream of normal numbers, derived from a seed.
//!
//! In: a seed and the number of a stream. Out: normal numbers. Invariant: the numbers are the same
//! on every machine.

use oculus_plugin_api::testing::Noise as RandomBits;

/// The random numbers of a bar: return, opening gap, upper wick, lower wick and volume.
pub(super) type Draws = [f64; 5];

/// A random stream of normal numbers from SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct RandomStream(RandomBits);

impl RandomStream {
    /// Creates the stream with the number `stream` for a seed. Streams with different numbers are
    /// independent.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        // The factor assigns each pair of seed and stream a separate state, for up to a million
        // streams per seed.
        Self(RandomBits::new(seed.wrapping_mul(1_000_003).wrapping_add(stream)))
    }

    /// Returns the random numbers of the next bar.
    pub(super) fn draws(&mut self) -> Draws {
        std::array::from_fn(|_| self.normal())
    }

    /// Returns a uniform random number in (0, 1]. Zero is excluded, because its logarithm is
    /// infinite.
    fn uniform(&mut self) -> f64 {
        // 53 bits are the precision of a 64-bit float.
        ((self.0.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a standard normal random number (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
