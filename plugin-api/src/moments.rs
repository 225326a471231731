//! Mean and deviation of a feature, the measure that features are standardised in.

/// Share of the mean below which a deviation may be nothing but the rounding of `f32`.
const RESOLUTION: f64 = 1e-6;

/// Mean and population deviation of a sample.
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
    /// Population deviation of the values.
    pub deviation: f64,
}

impl Moments {
    /// Measures a sample in two passes; both moments of no values are 0.
    pub fn from_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n_values = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / n_values;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / n_values;
        Self { mean, deviation: variance.sqrt() }
    }

    /// Returns whether rounding alone could have made the deviation.
    ///
    /// The mean of equal values is not always one of them: 0.1 summed 700 times is not 700 times 0.1.
    pub fn is_constant(&self) -> bool {
        self.deviation <= RESOLUTION * self.mean.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_population() {
        let moments = |values: &[f64]| Moments::from_values(values.iter().copied());
        assert_eq!(moments(&[1.0, 3.0, 1.0, 3.0]), Moments { mean: 2.0, deviation: 1.0 });
        assert_eq!(moments(&[7.5]), Moments { mean: 7.5, deviation: 0.0 });
        assert_eq!(moments(&[]), Moments { mean: 0.0, deviation: 0.0 });
    }

    #[test]
    fn a_sample_is_constant_where_rounding_alone_moves_it() {
        let is_constant = |values: &[f64]| Moments::from_values(values.iter().copied()).is_constant();
        assert!(is_constant(&[0.1; 700]));
        assert!(is_constant(&[1e6, 1e6 + 1e-3]));
        assert!(!is_constant(&[1e6, 1e6 + 10.0]));
        assert!(!is_constant(&[-1e-30, 1e-30]));
        assert!(is_constant(&[]));
    }
}
