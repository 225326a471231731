//! Rows of a table that have a feature without a finite value.

use crate::{PluginError, Result, Table};

/// The holes of some features: per row of a table, the first feature without a finite value.
///
/// ```
/// use oculus_plugin_api::testing::Frame;
/// use oculus_plugin_api::{Holes, Table, code};
///
/// let frame = Frame::new(1, 3).column("RSI_14", vec![30.0, f32::NAN, 60.0]);
/// let table = Table::new(frame.table())?;
/// let holes = Holes::find(&table, &table.model_features());
/// assert!(holes.refuse("train_rows", &[0, 2]).is_ok());
/// assert_eq!(holes.refuse("train_rows", &[0, 1]).unwrap_err().code, code::DATA);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Holes {
    /// Names of the features, in the order they were given.
    features: Vec<String>,
    /// One per row: the place of the feature among `features`.
    first: Vec<Option<u32>>,
}

impl Holes {
    /// Finds the holes of the columns `features` in all rows.
    pub fn find(table: &Table<'_>, features: &[usize]) -> Self {
        let mut first = vec![None; table.n_rows()];
        for (place, &feature_idx) in features.iter().enumerate() {
            for (hole, value) in first.iter_mut().zip(table.column(feature_idx)) {
                if !value.is_finite() && hole.is_none() {
                    *hole = Some(place as u32);
                }
            }
        }
        Self { features: features.iter().map(|&idx| table.name(idx).to_owned()).collect(), first }
    }

    /// Refuses rows that have a hole. `what` names the list, such as `train_rows`.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA), naming list, row and feature.
    pub fn refuse(&self, what: &str, rows: &[u32]) -> Result<()> {
        match rows.iter().find_map(|&row| Some((row, self.first[row as usize]?))) {
            None => Ok(()),
            Some((row, place)) => Err(PluginError::data(format!(
                "{what} holds row {row}, where {} has no finite value; leave the row or the feature out",
                self.features[place as usize]
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
    fn the_first_row_with_a_hole_is_refused_with_its_first_feature() {
        let frame = Frame::new(1, 4)
            .rule_column("SMA_20", vec![f32::NAN; 4])
            .column("RSI_14", vec![1.0, 2.0, f32::INFINITY, 4.0])
            .column("ADX_14", vec![1.0, f32::NAN, f32::NAN, 4.0]);
        let table = Table::new(frame.table()).unwrap();
        let holes = Holes::find(&table, &table.model_features());
        assert_eq!(holes.first, [None, Some(1), Some(0), None]);
        assert_eq!(holes.refuse("tune_rows", &[0, 3]), Ok(()));
        let error = holes.refuse("tune_rows", &[0, 2]).unwrap_err();
        let needed = "tune_rows holds row 2, where RSI_14 has no finite value; leave the row or the feature out";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, needed));
    }
}
