//! Rows of a table with a missing feature value.

use crate::{PluginError, Result, Table};

/// The missing values of a table: for each row, the first of the searched features that is not
/// finite.
///
/// ```
/// use oculus_plugin_api::testing::Frame;
/// use oculus_plugin_api::{MissingValues, Table, code};
///
/// let frame = Frame::new(1, 3).column("RSI_14", vec![30.0, f32::NAN, 60.0]);
/// let table = Table::new(frame.table())?;
/// let missing = MissingValues::find(&table, &table.model_features());
/// assert!(missing.reject("train_rows", &[0, 2]).is_ok());
/// assert_eq!(missing.reject("train_rows", &[0, 1]).unwrap_err().code, code::DATA);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MissingValues {
    /// Names of the searched features.
    features: Vec<String>,
    /// For each row, the index of the first missing feature in `features`.
    first_missing: Vec<Option<u32>>,
}

impl MissingValues {
    /// Searches the columns `features` in all rows of a table.
    pub fn find(table: &Table<'_>, features: &[usize]) -> Self {
        // All rows are searched once, because a prepared table is fitted many times, with several
        // lists of rows per fit.
        let mut first_missing = vec![None; table.n_rows()];
        for (position, &feature_idx) in features.iter().enumerate() {
            for (first, value) in first_missing.iter_mut().zip(table.column(feature_idx)) {
                if !value.is_finite() && first.is_none() {
                    *first = Some(position as u32);
                }
            }
        }
        Self { features: features.iter().map(|&idx| table.name(idx).to_owned()).collect(), first_missing }
    }

    /// Checks that rows have no missing value. `list` is the name of the list, such as
    /// `train_rows`.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if a value is missing. The message names the list, the row
    /// and the feature.
    pub fn reject(&self, list: &str, rows: &[u32]) -> Result<()> {
        match rows.iter().find_map(|&row| Some((row, self.first_missing[row as usize]?))) {
            None => Ok(()),
            Some((row, position)) => Err(PluginError::data(format!(
                "{list} contains row {row}, where {} is not finite; remove the row or the feature",
                self.features[position as usize]
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::testing::Frame;

    #[test]
    fn the_first_row_with_a_missing_value_is_rejected_with_its_first_feature() {
        let frame = Frame::new(1, 4)
            .rule_column("SMA_20", vec![f32::NAN; 4])
            .column("RSI_14", vec![1.0, 2.0, f32::INFINITY, 4.0])
            .column("ADX_14", vec![1.0, f32::NAN, f32::NAN, 4.0]);
        let table = Table::new(frame.table()).unwrap();
        let missing = MissingValues::find(&table, &table.model_features());
        assert_eq!(missing.first_missing, [None, Some(1), Some(0), None]);
        assert_eq!(missing.reject("tune_rows", &[0, 3]), Ok(()));
        let error = missing.reject("tune_rows", &[0, 2]).unwrap_err();
        let expected = "tune_rows contains row 2, where RSI_14 is not finite; remove the row or the feature";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, expected));
    }
}
