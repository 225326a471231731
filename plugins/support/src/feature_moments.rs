//! Mean and deviation with which the neural families standardise a feature.

use oculus_plugin_api::Moments;

/// The rule that decides whether a feature is constant.
///
/// A plugin never changes its rule, because another rule would change the scores of the plugin.
/// [`Input::standardised`](oculus_plugin_api::Input::standardised) uses [`Moments::is_constant`]
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantRule {
    /// A feature is constant if all values are equal.
    EqualValues,
    /// A feature is constant if `f32` cannot resolve its deviation: rounding alone could have
    /// caused the deviation, or it is not a normal `f32`.
    UnresolvedDeviation,
}

/// Measures mean and deviation of a feature over its training rows; the deviation of a constant
/// feature is 0.
pub fn feature_moments(values: impl Iterator<Item = f64> + Clone, rule: ConstantRule) -> Moments {
    let moments = Moments::from_values(values.clone());
    let is_constant = match rule {
        // A deviation of 0 does not identify equal values, because their computed mean may differ
        // from them.
        ConstantRule::EqualValues => !values.clone().any(|value| Some(value) != values.clone().next()),
        ConstantRule::UnresolvedDeviation => moments.is_constant() || !(moments.deviation as f32).is_normal(),
    };
    Moments { deviation: if is_constant { 0.0 } else { moments.deviation }, ..moments }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviations(values: &[f64]) -> [f64; 2] {
        [ConstantRule::EqualValues, ConstantRule::UnresolvedDeviation]
            .map(|rule| feature_moments(values.iter().copied(), rule).deviation)
    }

    #[test]
    fn equal_values_are_constant_by_both_rules() {
        // The computed mean of equal values may differ from them, because 0.1 summed 700 times is
        // not 700 times 0.1.
        assert_eq!(deviations(&[0.1; 700]), [0.0, 0.0]);
        assert_eq!(deviations(&[]), [0.0, 0.0]);
    }

    #[test]
    fn a_feature_whose_deviation_f32_cannot_resolve_is_constant_by_one_rule_only() {
        assert_eq!(deviations(&[1e6, 1e6 + 0.0625]), [0.03125, 0.0]);
        assert_eq!(deviations(&[-1e-39, 1e-39]), [1e-39, 0.0]);
        assert_eq!(deviations(&[1.0, 3.0]), [1.0, 1.0]);
    }
}
