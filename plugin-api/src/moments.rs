//! The mean and standard deviation with which a feature is standardised.

/// Largest ratio of deviation to mean that rounding to `f32` can explain. The relative precision of
/// `f32` is about 10⁻⁷.
const RESOLUTION: f64 = 1e-6;

/// Mean and population standard deviation of a sample.
///
/// ```
/// use oculus_plugin_api::Moments;
///
/// let moments = Moments::from_values([30.0, 50.0].into_iter());
/// assert_eq!(moments, Moments { mean: 40.0, deviation: 10.0 });
/// assert!(Moments::from_values([0.1; 700].into_iter()).is_constant());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean of the values.
    pub mean: f64,
    /// Population standard deviation of the values.
    pub deviation: f64,
}

impl Moments {
    /// Computes both moments of a sample in two passes. Both are 0 for an empty sample.
    pub fn from_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        // The count is at least 1, so that an empty sample yields 0 / 1 instead of the NaN of 0 /
        // 0.
        let n_values = values.clone().count().max(1) as f64;
        // Two passes are used, because the one-pass formula E[x²] − E[x]² loses most digits if the
        // mean is large.
        let mean = values.clone().sum::<f64>() / n_values;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / n_values;
        Self { mean, deviation: variance.sqrt() }
    }

    /// Returns whether rounding alone can explain the deviation.
    ///
    /// The computed deviation of equal values is not always 0. For example, the sum of 700 times
    /// 0.1 is rounded, so the computed mean differs slightly from 0.1.
    pub fn is_constant(&self) -> bool {
        self.deviation <= RESOLUTION * self.mean.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_divides_by_the_number_of_values() {
        let moments = |values: &[f64]| Moments::from_values(values.iter().copied());
        assert_eq!(moments(&[1.0, 3.0, 1.0, 3.0]), Moments { mean: 2.0, deviation: 1.0 });
        assert_eq!(moments(&[7.5]), Moments { mean: 7.5, deviation: 0.0 });
        assert_eq!(moments(&[]), Moments { mean: 0.0, deviation: 0.0 });
    }

    #[test]
    fn a_sample_that_differs_by_rounding_only_is_constant() {
        let is_constant = |values: &[f64]| Moments::from_values(values.iter().copied()).is_constant();
        assert!(is_constant(&[0.1; 700]));
        assert!(is_constant(&[1e6, 1e6 + 1e-3]));
        assert!(!is_constant(&[1e6, 1e6 + 10.0]));
        assert!(!is_constant(&[-1e-30, 1e-30]));
        assert!(is_constant(&[]));
    }
}
