//! Random numbers of a fit. They are derived from the seed of the fit, and they are equal on every
//! machine and device.
//!
//! The generators of the engines are not used: each of them cannot be seeded, is shared by the
//! whole process, or differs by device. Invariant: equal seeds, streams and calls return equal
//! bits. A change here would change every fitted model.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The method by which an index is drawn.
///
/// A family never changes its method, because another one would produce different models from equal
/// seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexMethod {
    /// The index is the upper half of the product of a 32-bit draw and the bound. Biased draws are
    /// rejected (Lemire 2019), so every index is equally likely.
    Unbiased32,
    /// The index is the upper half of the product of a 32-bit draw and the bound. Its bias is below
    /// `bound / 2³²`.
    Scaled32,
    /// The index is the upper half of the product of a 64-bit draw and the bound. Its bias is below
    /// `bound / 2⁶⁴`.
    Scaled64,
}

/// A stream of random numbers (ChaCha with 8 rounds).
pub struct Draws {
    generator: ChaCha8Rng,
    method: IndexMethod,
}

impl Draws {
    /// Starts a stream. Each purpose uses a separate `stream`, so that one more draw for one
    /// purpose changes no draw for another purpose.
    pub fn new(seed: u64, stream: u64, method: IndexMethod) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self { generator, method }
    }

    /// Draws `n` numbers from the uniform distribution on `[-bound, bound)`.
    pub fn uniform(&mut self, n: usize, bound: f32) -> Vec<f32> {
        // The upper 24 bits fill the mantissa of an `f32` exactly, so no rounding occurs.
        let unit = |bits: u32| (bits >> 8) as f32 / (1 << 23) as f32 - 1.0;
        (0..n).map(|_| unit(self.generator.next_u32()) * bound).collect()
    }

    /// Draws an index below `bound`, which is at most 2³² − 1; returns 0 if `bound` is 0.
    pub fn index_below(&mut self, bound: usize) -> usize {
        match self.method {
            IndexMethod::Unbiased32 => self.unbiased_below(bound as u32) as usize,
            IndexMethod::Scaled32 => ((u64::from(self.generator.next_u32()) * bound as u64) >> 32) as usize,
            IndexMethod::Scaled64 => ((u128::from(self.generator.next_u64()) * bound as u128) >> 64) as usize,
        }
    }

    /// Draws an index below `bound` by Lemire's method.
    fn unbiased_below(&mut self, bound: u32) -> u32 {
        // 2³² mod bound. Products with a lower half below this number are rejected. Otherwise some
        // indices would be more likely than others.
        let n_biased = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u64::from(self.generator.next_u32()) * u64::from(bound);
            if product as u32 >= n_biased {
                return (product >> 32) as u32;
            }
        }
    }

    /// Shuffles `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index_below(last + 1);
            items.swap(last, other);
        }
    }

    /// Draws `n` dropout factors, each from 32 random bits.
    ///
    /// A factor is 0 with the given probability, which is below 1. Otherwise it is
    /// `1 / (1 − probability)`, so that the mean of the factors is 1.
    pub fn dropout_mask_32(&mut self, n: usize, probability: f32) -> Vec<f32> {
        let threshold = (f64::from(probability) * (1u64 << 32) as f64) as u32;
        let scale = 1.0 / (1.0 - probability);
        (0..n).map(|_| if self.generator.next_u32() < threshold { 0.0 } else { scale }).collect()
    }

    /// Draws `n` dropout factors like [`Draws::dropout_mask_32`], but each from 16 random bits.
    ///
    /// This halves the work for large masks. The probability is rounded to a multiple of 1/65536.
    pub fn dropout_mask_16(&mut self, n: usize, probability: f64) -> Vec<f32> {
        let mut bytes = vec![0; 2 * n];
        self.generator.fill_bytes(&mut bytes);
        let threshold = (probability * 65536.0).round() as u32;
        let scale = (1.0 / (1.0 - probability)) as f32;
        let is_dropped = |pair: &[u8]| u32::from(u16::from_le_bytes([pair[0], pair[1]])) < threshold;
        bytes.chunks_exact(2).map(|pair| if is_dropped(pair) { 0.0 } else { scale }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const METHODS: [IndexMethod; 3] = [IndexMethod::Unbiased32, IndexMethod::Scaled32, IndexMethod::Scaled64];

    fn draws(seed: u64, stream: u64) -> Draws {
        Draws::new(seed, stream, IndexMethod::Unbiased32)
    }

    fn any_method() -> impl Strategy<Value = IndexMethod> {
        proptest::sample::select(METHODS.to_vec())
    }

    proptest! {
        #[test]
        fn an_index_is_below_its_bound(seed: u64, stream: u64, bound: u32, method in any_method()) {
            let index = Draws::new(seed, stream, method).index_below(bound as usize);
            prop_assert!(index < bound as usize || (index, bound) == (0, 0));
        }

        #[test]
        fn a_shuffle_keeps_every_item_and_is_reproducible(seed: u64, n_items in 0usize..200, method in any_method()) {
            let shuffled = || {
                let mut items: Vec<usize> = (0..n_items).collect();
                Draws::new(seed, 1, method).shuffle(&mut items);
                items
            };
            let mut sorted = shuffled();
            prop_assert_eq!(&sorted, &shuffled());
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n_items).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_order_is_equally_likely_by_every_method() {
        for method in METHODS {
            let mut draws = Draws::new(1, 1, method);
            let mut counts = BTreeMap::new();
            for _ in 0..24_000 {
                let mut items = [0, 1, 2, 3];
                draws.shuffle(&mut items);
                *counts.entry(items).or_insert(0) += 1;
            }
            // The expected count is 1,000, with a standard deviation of 31.
            assert!(counts.len() == 24 && counts.values().all(|n| (850..1150).contains(n)), "{method:?}: {counts:?}");
        }
    }

    #[test]
    fn a_dropout_mask_drops_its_share_and_keeps_the_mean() {
        for mask in [draws(2, 2).dropout_mask_32(100_000, 0.3), draws(2, 2).dropout_mask_16(100_000, 0.3)] {
            let n_dropped = mask.iter().filter(|factor| **factor == 0.0).count();
            assert!((29_500..30_500).contains(&n_dropped), "{n_dropped}");
            let mean = mask.iter().map(|factor| f64::from(*factor)).sum::<f64>() / 1e5;
            assert!((mean - 1.0).abs() < 0.01, "{mean}");
        }
        assert_eq!(draws(2, 2).dropout_mask_32(100, 0.0), [1.0; 100]);
        assert_eq!(draws(2, 2).dropout_mask_16(100, 0.0), [1.0; 100]);
    }

    #[test]
    fn uniform_numbers_cover_their_range_and_differ_by_seed_and_stream() {
        let first = draws(3, 1).uniform(10_000, 0.5);
        let low = first.iter().copied().fold(0.0, f32::min);
        let high = first.iter().copied().fold(0.0, f32::max);
        assert!((-0.5..-0.49).contains(&low) && (0.49..0.5).contains(&high), "{low} {high}");
        let mean = first.iter().sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.02, "{mean}");
        assert_eq!(first, draws(3, 1).uniform(10_000, 0.5));
        assert_ne!(first, draws(4, 1).uniform(10_000, 0.5));
        assert_ne!(first, draws(3, 2).uniform(10_000, 0.5));
    }
}
