//! All chance of a fit, from its seed: first weights, order of rows, dropout.
//!
//! candle's generator on the CPU cannot be seeded, and others differ from device to device: everything is drawn here.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What the draws are for. Each has a stream of its own, so that a fit without dropout sees the same order of rows.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// First weights.
    Weights = 0,
    /// Order of the rows in an epoch.
    Order = 1,
    /// Units left out.
    Dropout = 2,
}

/// A stream of random numbers.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// `n` numbers, equally likely from `-bound` to `bound`.
    pub fn uniform(&mut self, bound: f32, n: usize) -> Vec<f32> {
        let unit = |bits: u32| (bits >> 8) as f32 / (1 << 23) as f32 - 1.0;
        (0..n).map(|_| bound * unit(self.0.next_u32())).collect()
    }

    /// Puts `items` in any order, all equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u32 + 1) as usize);
        }
    }

    /// A number from 0 up to, not including, `end`: the upper half of a product, drawn again where it would be uneven.
    fn below(&mut self, end: u32) -> u32 {
        let uneven = end.wrapping_neg() % end;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(end);
            if product as u32 >= uneven {
                return (product >> 32) as u32;
            }
        }
    }

    /// What `n` units are multiplied by: 0 for the share `dropout` of them, else what keeps the mean.
    pub fn dropout(&mut self, dropout: f32, n: usize) -> Vec<f32> {
        let (limit, kept) = ((f64::from(dropout) * (1u64 << 32) as f64) as u32, 1.0 / (1.0 - dropout));
        (0..n).map(|_| if self.0.next_u32() < limit { 0.0 } else { kept }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_equally_likely() {
        let mut random = Random::new(1, Purpose::Order);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            random.shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        // 1,000 each; a deviation is 31.
        assert!(seen.len() == 24 && seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn dropout_leaves_out_its_share_and_keeps_the_mean() {
        let factors = Random::new(2, Purpose::Dropout).dropout(0.3, 100_000);
        let left_out = factors.iter().filter(|factor| **factor == 0.0).count();
        assert!((29_500..30_500).contains(&left_out), "{left_out}");
        let mean = factors.iter().sum::<f32>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!(Random::new(2, Purpose::Dropout).dropout(0.0, 100).iter().all(|factor| *factor == 1.0));
    }

    #[test]
    fn weights_lie_within_their_bound_and_differ_by_seed_and_purpose() {
        let draws = |seed, purpose| Random::new(seed, purpose).uniform(0.5, 1000);
        let first = draws(1, Purpose::Weights);
        assert!(first.iter().all(|weight| (-0.5..0.5).contains(weight)));
        assert!((first.iter().sum::<f32>() / 1000.0).abs() < 0.05);
        assert_ne!(first, draws(2, Purpose::Weights));
        assert_ne!(first, draws(1, Purpose::Order));
        assert_eq!(first, draws(1, Purpose::Weights));
    }
}
