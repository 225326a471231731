//! The random streams of a fit: one each for the initial weights, the order of rows and dropout.

use oculus_plugin_support::{Draws, IndexMethod};

/// The purpose of a random stream. Each purpose has a separate stream, so that the order of rows
/// does not depend on whether a fit uses dropout.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Initial weights.
    Weights = 0,
    /// Order of the rows in an epoch.
    Shuffle = 1,
    /// Dropped units.
    Dropout = 2,
}

/// Starts the random stream of one purpose.
pub(crate) fn draws(seed: u64, purpose: Purpose) -> Draws {
    Draws::new(seed, purpose as u64, IndexMethod::Unbiased32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_within_their_bound_and_differ_by_seed_and_purpose() {
        let uniform = |seed, purpose| draws(seed, purpose).uniform(1000, 0.5);
        let first = uniform(1, Purpose::Weights);
        assert!(first.iter().all(|weight| (-0.5..0.5).contains(weight)));
        assert_ne!(first, uniform(2, Purpose::Weights));
        assert_ne!(first, uniform(1, Purpose::Shuffle));
        assert_eq!(first, uniform(1, Purpose::Weights));
    }
}
