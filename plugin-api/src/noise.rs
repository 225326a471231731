//! A random number generator for synthetic test tables. Its sequences must never change, because
//! golden values depend on them.

/// A SplitMix64 random number generator (Steele, Lea and Flood, "Fast Splittable Pseudorandom
/// Number Generators", 2014).
///
/// ```
/// use oculus_plugin_api::testing::Noise;
///
/// let mut noise = Noise::new(1);
/// let column: Vec<f32> = (0..100).map(|_| noise.unit_f32()).collect();
/// assert!(column.iter().all(|value| (0.0..1.0).contains(value)));
/// ```
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Creates a generator. Equal seeds produce equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Draws a number in [0, 1), a multiple of 2⁻²⁴.
    pub fn unit_f32(&mut self) -> f32 {
        // `f32` represents every integer of 24 bits exactly, so no draw rounds up to 1.
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Draws a number in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit_f64(&mut self) -> f64 {
        // `f64` represents every integer of 53 bits exactly, so no draw rounds up to 1.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_equals_the_reference() {
        // The first outputs for seed 1234567, which the tests of other implementations use too.
        let mut noise = Noise::new(1_234_567);
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(first.map(|_| noise.bits()), first);
    }
}
