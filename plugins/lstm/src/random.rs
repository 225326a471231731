//! The random streams of a fit: initial weights, order of updates and dropout masks, equal on every
//! device.
//!
//! libtorch's generator is not used, because the whole process shares it: concurrent fits would
//! change each other's numbers.

use oculus_plugin_support::{Draws, IndexMethod};

/// The purpose of a random stream. Each purpose has a separate stream, so that one more draw for
/// one purpose changes no draw for another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// Order of updates.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
}

/// Starts the random stream of one purpose.
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
        let first = order(1, Purpose::Shuffle);
        assert_eq!(first, order(1, Purpose::Shuffle));
        assert_ne!(first, order(2, Purpose::Shuffle));
        assert_ne!(first, order(1, Purpose::Weights));
    }
}
