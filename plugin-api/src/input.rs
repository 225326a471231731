//! Standardised features: deviations from the mean over the training rows.

use serde::{Deserialize, Serialize};

use crate::{Moments, PluginError, Result, Table};

/// One standardised feature: its name, and what it is measured in. Part of a model, saved with it.
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
    /// Mean over the rows to learn from.
    pub mean: f64,
    /// Population deviation over them; 0 for a feature that is constant there, which then is 0 everywhere.
    pub deviation: f64,
}

impl Input {
    /// An input for each feature that is for models, measured over `learn_rows`.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for a table without such a feature, and for a row of `learn_rows`
    /// with a value that is not finite, naming both.
    pub fn standardised(table: &Table<'_>, learn_rows: &[u32]) -> Result<Vec<Self>> {
        let features = table.require_model_features()?;
        features.into_iter().map(|idx| Self::measured(table, idx, learn_rows)).collect()
    }

    fn measured(table: &Table<'_>, feature_idx: usize, learn_rows: &[u32]) -> Result<Self> {
        let name = table.name(feature_idx);
        let column = table.column(feature_idx);
        if let Some(row) = learn_rows.iter().find(|&&row| !column[row as usize].is_finite()) {
            return Err(PluginError::data(format!(
                "row {row} is to be learnt from, and {name} has no finite value there; leave the row or the feature out"
            )));
        }
        let moments = Moments::from_values(learn_rows.iter().map(|&row| f64::from(column[row as usize])));
        let deviation = if moments.is_constant() { 0.0 } else { moments.deviation };
        Ok(Self { name: name.to_owned(), mean: moments.mean, deviation })
    }

    /// The values of `rows` in deviations from the mean; NaN where the feature is not finite.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for a table without the feature.
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
        // The mean of equal values is not always one of them: 0.1 summed 700 times is not 700 times 0.1.
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
    fn rows_and_features_that_cannot_be_measured_are_named() {
        let frame = Frame::new(1, 3).column("RSI_14", vec![1.0, f32::INFINITY, 3.0]).rule_column("SMA", vec![0.0; 3]);
        let table = Table::new(frame.table()).unwrap();
        let error = Input::standardised(&table, &[0, 1]).unwrap_err();
        let needed =
            "row 1 is to be learnt from, and RSI_14 has no finite value there; leave the row or the feature out";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, needed));

        let inputs = Input::standardised(&table, &[0, 2]).unwrap();
        let other = Frame::new(1, 3).rule_column("SMA", vec![0.0; 3]);
        let other = Table::new(other.table()).unwrap();
        assert_eq!(inputs[0].values(&other, &[0]).err().unwrap().message.as_str(), "the table lacks RSI_14");
        let error = Input::standardised(&other, &[0]).unwrap_err();
        assert_eq!(error.code, code::DATA);
    }
}
