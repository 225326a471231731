//! Prepares a table for fitting: standardises the model features and measures the usable history of
//! each row.
//!
//! In: a table and its training rows. Out: [`Sequences`]. Invariants: the mean and the deviation of
//! a feature depend only on the training rows. A window within a row's history contains only finite
//! values of one symbol.

use oculus_plugin_api::prelude::*;
use oculus_plugin_support::{ConstantRule, feature_moments};

/// Bound at which standardised values are clipped, in deviations from the mean.
pub(crate) const CLIP: f32 = 5.0;

/// Names, means and deviations of the features that a model reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaler {
    pub(crate) features: Vec<String>,
    pub(crate) mean: Vec<f32>,
    pub(crate) deviation: Vec<f32>,
}

impl Scaler {
    /// Measures mean and deviation over the finite values of `rows`. They are `f32`, the type with
    /// which the network computes.
    fn measure(table: &Table<'_>, features: &[usize], rows: &[u32]) -> Self {
        let moments: Vec<Moments> = features.iter().map(|&idx| moments(table.column(idx), rows)).collect();
        Self {
            features: features.iter().map(|&feature_idx| table.name(feature_idx).to_owned()).collect(),
            mean: moments.iter().map(|moments| moments.mean as f32).collect(),
            deviation: moments.iter().map(divisor).collect(),
        }
    }
}

/// Measures the finite values of `rows`; the deviation of a constant feature is 0.
fn moments(column: &[f32], rows: &[u32]) -> Moments {
    // Training rows may have missing values, because the fit leaves out only the windows that
    // contain one.
    let values = rows.iter().map(|&row| f64::from(column[row as usize])).filter(|value| value.is_finite());
    feature_moments(values, ConstantRule::UnresolvedDeviation)
}

/// Returns the divisor of a feature. It is infinity for a constant feature, so that the feature is
/// 0 on all rows.
fn divisor(moments: &Moments) -> f32 {
    if moments.deviation == 0.0 { f32::INFINITY } else { moments.deviation as f32 }
}

/// A prepared table.
pub struct Sequences {
    /// The scaler that standardised the values.
    pub(crate) scaler: Scaler,
    /// Names of all columns of the table.
    pub(crate) columns: Vec<String>,
    /// Standardised values, row-major, `n_rows × n_features`; 0 for values that are not finite.
    pub(crate) values: Vec<f32>,
    /// For each row, the number of consecutive rows of its symbol without missing values, up to and
    /// including the row.
    pub(crate) history: Vec<u32>,
}

impl Sequences {
    /// Standardises a table by the mean and deviation of `learn_rows`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table has no model features.
    pub(crate) fn standardised(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let features = table.require_model_features()?;
        Ok(Self::from_table(Scaler::measure(table, &features, learn_rows), table, &features))
    }

    /// Standardises a table with an existing scaler.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table lacks a feature.
    pub(crate) fn scaled(scaler: &Scaler, table: &Table<'_>) -> Result<Self> {
        let features = table.positions(&scaler.features)?;
        Ok(Self::from_table(scaler.clone(), table, &features))
    }

    fn from_table(scaler: Scaler, table: &Table<'_>, features: &[usize]) -> Self {
        let n_rows = table.n_rows();
        let n_features = features.len();
        // A missing value is stored as 0, which is never read, because no window contains a row
        // with a missing value.
        let mut values = vec![0.0; n_rows * n_features];
        let mut is_complete = vec![true; n_rows];
        for (position, &feature_idx) in features.iter().enumerate() {
            let mean = scaler.mean[position];
            let deviation = scaler.deviation[position];
            for (row, &value) in table.column(feature_idx).iter().enumerate() {
                if value.is_finite() {
                    values[row * n_features + position] = ((value - mean) / deviation).clamp(-CLIP, CLIP);
                } else {
                    is_complete[row] = false;
                }
            }
        }
        let columns = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        Self { scaler, columns, values, history: history(table.symbol(), &is_complete) }
    }

    /// Returns the number of features that a model reads.
    pub(crate) fn n_features(&self) -> usize {
        self.scaler.features.len()
    }

    /// Returns the rows that have a complete window of `length` rows.
    pub(crate) fn with_history(&self, rows: &[u32], length: usize) -> Vec<u32> {
        rows.iter().copied().filter(|&row| self.history[row as usize] as usize >= length).collect()
    }
}

/// Counts, for each row, the consecutive complete rows of its symbol up to and including the row.
fn history(symbol: &[u32], is_complete: &[bool]) -> Vec<u32> {
    let mut history = vec![0; symbol.len()];
    for row in 0..symbol.len() {
        let before = if row > 0 && symbol[row - 1] == symbol[row] { history[row - 1] } else { 0 };
        history[row] = if is_complete[row] { before + 1 } else { 0 };
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_restarts_at_a_new_symbol_and_after_a_missing_value() {
        let is_complete = [true, true, false, true, true, true, true];
        assert_eq!(history(&[0, 0, 0, 0, 0, 3, 3], &is_complete), [1, 2, 0, 1, 2, 1, 2]);
    }

    #[test]
    fn moments_use_only_the_finite_values_of_the_given_rows() {
        assert_eq!(moments(&[1.0, f32::NAN, 3.0, 1e9], &[0, 1, 2]), Moments { mean: 2.0, deviation: 1.0 });
        assert_eq!(moments(&[f32::INFINITY], &[0]), Moments { mean: 0.0, deviation: 0.0 });
    }

    #[test]
    fn a_constant_feature_is_divided_by_infinity() {
        let constant = moments(&[7.1, 7.1, 7.1], &[0, 1, 2]);
        assert_eq!((constant.mean as f32, divisor(&constant)), (7.1, f32::INFINITY));
        assert_eq!(divisor(&Moments { mean: 2.0, deviation: 1.0 }), 1.0);
    }
}
