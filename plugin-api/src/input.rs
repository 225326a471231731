//! Standardised features: each value is the distance from the mean over the training rows, in
//! standard deviations.

use serde::{Deserialize, Serialize};

use crate::{Moments, PluginError, Result, Table};

/// The name, mean and standard deviation of a feature that is standardised. A model stores and
/// saves them.
///
/// ```
/// use oculus_plugin_api::{Input, Table};
/// use oculus_plugin_api::testing::Frame;
///
/// let frame = Frame::new(1, 3).column("RSI_14", vec![30.0, 50.0, 60.0]).rule_column("SMA_20", vec![f32::NAN; 3]);
/// let table = Table::new(frame.table())?;
/// let inputs = Input::standardised(&table, &[0, 1])?;
/// assert_eq!(inputs, [Input { name: "RSI_14".into(), mean: 40.0, deviation: 10.0 }]);
/// assert_eq!(inputs[0].values(&table, &[1, 2])?.collect::<Vec<_>>(), [1.0, 2.0]);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Name of the feature.
    pub name: String,
    /// Mean over the training rows.
    pub mean: f64,
    /// Population standard deviation over the training rows. It is 0 for a feature that is constant
    /// over these rows. The standardised value of such a feature is 0 in every row.
    pub deviation: f64,
}

impl Input {
    /// Computes the mean and standard deviation over `learn_rows` of every feature for models.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the table has no feature for models, or if a value in
    /// `learn_rows` is not finite. The message names the row and the feature.
    pub fn standardised(table: &Table<'_>, learn_rows: &[u32]) -> Result<Vec<Self>> {
        let features = table.require_model_features()?;
        features.into_iter().map(|idx| Self::measured(table, idx, learn_rows)).collect()
    }

    fn measured(table: &Table<'_>, feature_idx: usize, learn_rows: &[u32]) -> Result<Self> {
        let name = table.name(feature_idx);
        let column = table.column(feature_idx);
        if let Some(row) = learn_rows.iter().find(|&&row| !column[row as usize].is_finite()) {
            return Err(PluginError::data(format!(
                "{name} is not finite in row {row}, a training row; remove the row or the feature"
            )));
        }
        let moments = Moments::from_values(learn_rows.iter().map(|&row| f64::from(column[row as usize])));
        let deviation = if moments.is_constant() { 0.0 } else { moments.deviation };
        Ok(Self { name: name.to_owned(), mean: moments.mean, deviation })
    }

    /// Returns the standardised values of `rows`. A standardised value is NaN if the feature's own
    /// value is not finite.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the table lacks the feature.
    pub fn values<'t>(&'t self, table: &Table<'t>, rows: &'t [u32]) -> Result<impl Iterator<Item = f64> + 't> {
        let idx = table.position(&self.name);
        let idx = idx.ok_or_else(|| PluginError::data(format!("the table lacks {}", self.name)))?;
        let column = table.column(idx);
        Ok(rows.iter().map(|&row| self.value(column[row as usize])))
    }

    fn value(&self, value: f32) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        // A division by a deviation of 0 would return infinity or NaN.
        if self.deviation == 0.0 {
            return 0.0;
        }
        (f64::from(value) - self.mean) / self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::testing::Frame;

    #[test]
    fn a_feature_that_is_constant_on_learn_rows_is_zero_everywhere() {
        // The computed mean of equal values can differ from the values, because the sum of 700
        // times 0.1 is rounded.
        let mut column = vec![0.1f32; 702];
        column[700] = 7.0;
        column[701] = f32::NAN;
        let frame = Frame::new(1, 702).column("STILL", column);
        let table = Table::new(frame.table()).unwrap();
        let learn_rows = (0..700).collect::<Vec<_>>();
        let inputs = Input::standardised(&table, &learn_rows).unwrap();
        let values: Vec<_> = inputs[0].values(&table, &[0, 700, 701]).unwrap().collect();
        assert!(values[..2] == [0.0, 0.0] && values[2].is_nan(), "{values:?}");
    }

    #[test]
    fn a_missing_value_is_reported_with_its_row_and_feature() {
        let frame = Frame::new(1, 3).column("RSI_14", vec![1.0, f32::INFINITY, 3.0]).rule_column("SMA", vec![0.0; 3]);
        let table = Table::new(frame.table()).unwrap();
        let error = Input::standardised(&table, &[0, 1]).unwrap_err();
        let expected = "RSI_14 is not finite in row 1, a training row; remove the row or the feature";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, expected));

        let inputs = Input::standardised(&table, &[0, 2]).unwrap();
        let other = Frame::new(1, 3).rule_column("SMA", vec![0.0; 3]);
        let other = Table::new(other.table()).unwrap();
        assert_eq!(inputs[0].values(&other, &[0]).err().unwrap().message.as_str(), "the table lacks RSI_14");
        let error = Input::standardised(&other, &[0]).unwrap_err();
        assert_eq!(error.code, code::DATA);
    }
}
