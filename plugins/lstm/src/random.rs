//! The random streams of a fit: weights, orders and dropout masks, the same on every device.
//!
//! libtorch's generator is one for the whole process, so nothing here uses it.

use oculus_plugin_support::{Draws, IndexMethod};

/// What is drawn; each has a stream of its own, so that one more draw here moves none there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of updates.
    Order = 2,
    /// Dropout masks.
    Dropout = 3,
}

/// Starts the stream of one purpose.
pub(crate) fn draws(seed: u64, purpose: Purpose) -> Draws {
    Draws::new(seed, purpose as u64, IndexMethod::Scaled32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_purpose_and_seed() {
        let order = |seed, purpose| {
            let mut items: Vec<usize> = (0..50).collect();
            draws(seed, purpose).shuffle(&mut items);
            items
        };
        let first = order(1, Purpose::Order);
        assert_eq!(first, order(1, Purpose::Order));
        assert_ne!(first, order(2, Purpose::Order));
        assert_ne!(first, order(1, Purpose::Weights));
    }
}
