//! Prepares a table for fitting: standardises each feature by its mean and deviation over the
//! training rows, and clips it.

use oculus_plugin_api::prelude::*;
use oculus_plugin_support::{ConstantRule, feature_moments};

/// Bound at which standardised values are clipped, in deviations from the mean.
pub(crate) const CLIP: f64 = 5.0;

/// A table standardised by its training rows.
pub struct Scaled {
    /// Name and scale of each feature, in the order of the values.
    pub(crate) inputs: Vec<Input>,
    /// Positions of the missing values.
    missing: MissingValues,
    /// Values of all rows, model features only, row-major.
    values: Vec<f32>,
}

impl Scaled {
    /// Standardises a table, with scales from `learn_rows`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table has no model features, or
    /// if a row of `learn_rows` has a value that is not finite.
    pub(crate) fn new(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let columns = table.require_model_features()?;
        let missing = MissingValues::find(table, &columns);
        missing.reject("learn_rows", learn_rows)?;
        let inputs: Vec<_> = columns.iter().map(|&idx| measure(table, idx, learn_rows)).collect();
        let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let values = gather(table, &inputs, &all_rows)?;
        Ok(Self { inputs, missing, values })
    }

    /// Copies the features of `rows`, row-major.
    pub(crate) fn rows(&self, rows: &[u32]) -> Vec<f32> {
        let n_features = self.inputs.len();
        rows.iter().flat_map(|&row| &self.values[row as usize * n_features..][..n_features]).copied().collect()
    }

    /// Checks that every value of `rows` is finite. The error message calls these rows `list`.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if a value is not finite. The message
    /// names the list, the row and the feature of the first such value.
    pub(crate) fn reject_missing_values(&self, list: &str, rows: &[u32]) -> Result<()> {
        self.missing.reject(list, rows)
    }
}

/// Measures mean and deviation of one feature over `learn_rows`, whose values are finite.
///
/// Here a feature is constant only if all its values are equal. [`Input::standardised`] also treats
/// a feature as constant if `f32` cannot resolve its deviation. That second rule would change the
/// scores of this family.
fn measure(table: &Table<'_>, feature_idx: usize, learn_rows: &[u32]) -> Input {
    let column = table.column(feature_idx);
    let values = learn_rows.iter().map(|&row| f64::from(column[row as usize]));
    let Moments { mean, deviation } = feature_moments(values, ConstantRule::EqualValues);
    Input { name: table.name(feature_idx).to_owned(), mean, deviation }
}

/// Standardises and clips the given features of `rows`, row-major; a value that is not finite
/// becomes NaN.
///
/// # Errors
/// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the table lacks a feature.
pub(crate) fn gather(table: &Table<'_>, inputs: &[Input], rows: &[u32]) -> Result<Vec<f32>> {
    let mut values = vec![0.0; rows.len() * inputs.len()];
    for (position, input) in inputs.iter().enumerate() {
        let outputs = values.iter_mut().skip(position).step_by(inputs.len());
        for (value, out) in input.values(table, rows)?.zip(outputs) {
            // `clamp` keeps NaN, which marks the row as one without a score.
            *out = value.clamp(-CLIP, CLIP) as f32;
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use oculus_plugin_api::testing::Frame;

    use super::*;

    #[test]
    fn values_are_deviations_from_the_mean_within_the_clip() {
        let column = vec![1.0, 3.0, 1.0, 3.0, 2.5, 1e9, -1e9, f32::NAN, f32::INFINITY];
        let frame = Frame::new(1, 9).column("RSI_14", column);
        let table = Table::new(frame.table()).unwrap();
        let input = measure(&table, 0, &[0, 1, 2, 3]);
        assert_eq!((input.mean, input.deviation), (2.0, 1.0));
        let values = gather(&table, &[input], &[0, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(values[..4], [-1.0, 0.5, 5.0, -5.0]);
        assert!(values[4].is_nan() && values[5].is_nan());
    }

    #[test]
    fn a_feature_that_is_constant_on_learn_rows_is_zero_everywhere() {
        // The computed mean of equal values may differ from them, because 0.1 summed 700 times is
        // not 700 times 0.1.
        let mut column = vec![0.1f32; 701];
        column[700] = 7.0;
        let frame = Frame::new(1, 701).column("STILL", column);
        let table = Table::new(frame.table()).unwrap();
        let learn_rows: Vec<u32> = (0..700).collect();
        let input = measure(&table, 0, &learn_rows);
        assert_eq!(gather(&table, &[input], &[0, 700]).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn a_feature_with_a_deviation_below_f32_resolution_is_not_constant() {
        let frame = Frame::new(1, 2).column("SLOW", vec![1e6, 1e6 + 0.0625]);
        let table = Table::new(frame.table()).unwrap();
        assert_eq!(measure(&table, 0, &[0, 1]).deviation, 0.03125);
    }
}
