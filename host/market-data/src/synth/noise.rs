//! Seeded normal numbers.
//!
//! In: a seed and a stream. Out: normal numbers. Invariant: the numbers are the same on every
//! machine.

/// Draws of a bar: return, opening gap, upper wick, lower wick, volume.
pub(super) type Draws = [f64; 5];

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, the same on every machine.
#[derive(Clone, Debug)]
pub(super) struct Noise(u64);

impl Noise {
    /// Creates the noise of one stream of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(1_000_003).wrapping_add(stream))
    }

    /// Returns the draws of one bar.
    pub(super) fn draws(&mut self) -> Draws {
        std::array::from_fn(|_| self.normal())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a uniform number from 0, which is excluded, to 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a standard normal number (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
