//! The random streams of a fit: first weights, order of rows, dropout.

use oculus_plugin_support::{Draws, IndexMethod};

/// What the draws are for. Each has a stream of its own, so that a fit without dropout sees the same order of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// First weights.
    Weights = 0,
    /// Order of the rows in an epoch.
    Order = 1,
    /// Units left out.
    Dropout = 2,
}

/// Starts the stream of one purpose.
pub(crate) fn draws(seed: u64, purpose: Purpose) -> Draws {
    Draws::new(seed, purpose as u64, IndexMethod::Unbiased32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_within_their_bound_and_differ_by_seed_and_purpose() {
        let uniform = |seed, purpose| draws(seed, purpose).uniform(1000, 0.5);
        let first = uniform(1, Purpose::Weights);
        assert!(first.iter().all(|weight| (-0.5..0.5).contains(weight)));
        assert_ne!(first, uniform(2, Purpose::Weights));
        assert_ne!(first, uniform(1, Purpose::Order));
        assert_eq!(first, uniform(1, Purpose::Weights));
    }
}
