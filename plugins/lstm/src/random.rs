//! Chance of our own: weights, orders and dropout masks from one seed, the same on every device.
//!
//! libtorch's generator is one for the whole process, so nothing here uses it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What is drawn; each has a stream of its own, so that one more draw here moves none there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of updates.
    Order = 2,
    /// Dropout masks.
    Dropout = 3,
}

/// A stream of random numbers.
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// `n` numbers, equally likely from `-bound` to `bound`.
    pub fn uniform(&mut self, n: usize, bound: f32) -> Vec<f32> {
        (0..n).map(|_| ((self.0.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * bound).collect()
    }

    /// A whole number below `n`, or 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// Puts items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    /// `n` factors: 0 with probability `dropped`, else what keeps the mean at 1.
    pub fn mask(&mut self, n: usize, dropped: f64) -> Vec<f32> {
        let mut bytes = vec![0; 2 * n];
        self.0.fill_bytes(&mut bytes);
        let (threshold, kept) = ((dropped * 65536.0).round() as u32, (1.0 / (1.0 - dropped)) as f32);
        let factor = |pair: &[u8]| {
            if u32::from(u16::from_le_bytes([pair[0], pair[1]])) < threshold { 0.0 } else { kept }
        };
        bytes.chunks_exact(2).map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_drops_its_share_and_keeps_the_mean() {
        let mask = Draws::new(1, Purpose::Dropout).mask(100_000, 0.2);
        let share = mask.iter().filter(|factor| **factor == 0.0).count() as f64 / 1e5;
        let mean = mask.iter().map(|factor| f64::from(*factor)).sum::<f64>() / 1e5;
        assert!((share - 0.2).abs() < 0.005 && (mean - 1.0).abs() < 0.01, "{share} {mean}");
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_streams_differ_by_purpose_and_seed() {
        let order = |seed, purpose| {
            let mut items: Vec<usize> = (0..50).collect();
            Draws::new(seed, purpose).shuffle(&mut items);
            items
        };
        let first = order(1, Purpose::Order);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_eq!(first, order(1, Purpose::Order));
        assert_ne!(first, order(2, Purpose::Order));
        assert_ne!(first, order(1, Purpose::Weights));
    }

    #[test]
    fn uniform_numbers_fill_their_range_and_stay_in_it() {
        let drawn = Draws::new(3, Purpose::Weights).uniform(10_000, 0.5);
        let (low, high) = drawn.iter().fold((0.0_f32, 0.0_f32), |(low, high), v| (low.min(*v), high.max(*v)));
        assert!((-0.5..-0.49).contains(&low) && (0.49..=0.5).contains(&high), "{low} {high}");
    }
}
