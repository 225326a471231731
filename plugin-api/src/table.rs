//! The feature table as plain slices. Their lengths are checked once.

use abi_stable::std_types::{RSlice, RStr};

use crate::{PluginError, Result, abi};

/// The use of a feature.
///
/// ```
/// use oculus_plugin_api::testing::Frame;
/// use oculus_plugin_api::{FeatureRole, Table};
///
/// let frame = Frame::new(1, 1).column("RSI_14", vec![30.0]).rule_column("SMA_20", vec![101.5]);
/// let table = Table::new(frame.table())?;
/// assert_eq!((table.role(0), table.role(1)), (FeatureRole::Model, FeatureRole::Rule));
/// assert_eq!(table.model_features(), [0]);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureRole {
    /// For models and rules.
    Model,
    /// For rules only: a price level, which is not comparable between symbols or years.
    Rule,
}

impl FeatureRole {
    /// Returns the number that crosses the boundary.
    pub fn code(self) -> u32 {
        match self {
            Self::Model => 0,
            Self::Rule => 1,
        }
    }

    /// Returns the role that a number represents. An unknown role is read as [`FeatureRole::Rule`],
    /// so models do not train on the column.
    fn from_code(code: u32) -> Self {
        if code == 0 { Self::Model } else { Self::Rule }
    }
}

/// The features of all symbols: one row per symbol and bar, one column per feature. Rows are
/// ordered by symbol, then time.
///
/// A copy is cheap: the table borrows all data from the host.
///
/// ```
/// use oculus_plugin_api::Table;
/// use oculus_plugin_api::testing::Frame;
///
/// let frame = Frame::new(2, 2).column("RSI_14", vec![30.0, 40.0, 60.0, 70.0]);
/// let table = Table::new(frame.table())?;
/// assert_eq!((table.n_rows(), table.name(0)), (4, "RSI_14"));
/// assert_eq!(table.symbol(), [0, 0, 1, 1]);
/// assert_eq!(table.column(0)[2], 60.0);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Table<'a>(abi::Table<'a>);

impl<'a> Table<'a> {
    /// Wraps a table that crossed the boundary.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the lengths of its slices contradict each other.
    pub fn new(raw: abi::Table<'a>) -> Result<Self> {
        let n_rows = raw.n_rows as usize;
        let n_features = raw.n_features as usize;
        // The counts come from the host and are still unchecked, so their product may overflow.
        let is_consistent = n_rows.checked_mul(n_features) == Some(raw.values.len())
            && [raw.time.len(), raw.day.len(), raw.symbol.len()] == [n_rows; 3]
            && (raw.names.len(), raw.roles.len()) == (n_features, n_features);
        if !is_consistent {
            return Err(PluginError::data(format!(
                "a table of {n_rows} rows and {n_features} features has {} values, {} times, {} days, {} \
                 symbols, {} names and {} roles",
                raw.values.len(),
                raw.time.len(),
                raw.day.len(),
                raw.symbol.len(),
                raw.names.len(),
                raw.roles.len()
            )));
        }
        Ok(Self(raw))
    }

    /// Returns the table in the form in which it crosses the boundary.
    pub fn raw(&self) -> abi::Table<'a> {
        self.0
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.0.n_rows as usize
    }

    /// Returns the number of features, including features for rules only.
    pub fn n_features(&self) -> usize {
        self.0.n_features as usize
    }

    /// Returns all values, column-major, `n_features × n_rows`.
    pub fn values(&self) -> &'a [f32] {
        as_slice(self.0.values)
    }

    /// Returns the values of a feature, one per row.
    pub fn column(&self, feature_idx: usize) -> &'a [f32] {
        // Column-major storage makes each feature one contiguous slice.
        let n_rows = self.n_rows();
        &self.values()[feature_idx * n_rows..(feature_idx + 1) * n_rows]
    }

    /// Returns the name of a feature, such as `RSI_14`.
    pub fn name(&self, feature_idx: usize) -> &'a str {
        let name: RStr<'a> = as_slice(self.0.names)[feature_idx];
        name.as_str()
    }

    /// Returns the index of the feature with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        (0..self.n_features()).find(|&idx| self.name(idx) == name)
    }

    /// Returns the role of a feature.
    pub fn role(&self, feature_idx: usize) -> FeatureRole {
        FeatureRole::from_code(self.0.roles[feature_idx])
    }

    /// Returns the columns that models may train on, ascending.
    pub fn model_features(&self) -> Vec<usize> {
        (0..self.n_features()).filter(|&idx| self.role(idx) == FeatureRole::Model).collect()
    }

    /// Returns the columns that models may train on, ascending; at least one.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the table has no such column.
    pub fn require_model_features(&self) -> Result<Vec<usize>> {
        let features = self.model_features();
        if features.is_empty() {
            let n_features = self.n_features();
            return Err(PluginError::data(format!(
                "found {n_features} features, none of them for models; expected at least one"
            )));
        }
        Ok(features)
    }

    /// Finds the columns of a model's features by name, in the order of the names.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the table lacks any of them. The message names all
    /// missing features.
    ///
    /// ```
    /// use oculus_plugin_api::testing::Frame;
    /// use oculus_plugin_api::{Table, code};
    ///
    /// let frame = Frame::new(1, 1).column("RSI_14", vec![30.0]).column("ADX_14", vec![20.0]);
    /// let table = Table::new(frame.table())?;
    /// assert_eq!(table.positions(["ADX_14", "RSI_14"])?, [1, 0]);
    /// assert_eq!(table.positions(["ADX_14", "RET_5"]).unwrap_err().code, code::DATA);
    /// # Ok::<(), oculus_plugin_api::PluginError>(())
    /// ```
    pub fn positions<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Result<Vec<usize>> {
        let mut positions = Vec::new();
        let mut missing = Vec::new();
        for name in names {
            match self.position(name.as_ref()) {
                Some(idx) => positions.push(idx),
                // The search continues after a missing feature, so that one message names all of
                // them.
                None => missing.push(name.as_ref().to_owned()),
            }
        }
        if !missing.is_empty() {
            return Err(PluginError::data(format!("the table lacks {}, which the model needs", missing.join(", "))));
        }
        Ok(positions)
    }

    /// Returns the start of each row's bar, in seconds since 1970-01-01 UTC.
    pub fn time(&self) -> &'a [i64] {
        as_slice(self.0.time)
    }

    /// Returns the session date of each row, in days since 1970-01-01.
    pub fn day(&self) -> &'a [i32] {
        as_slice(self.0.day)
    }

    /// Returns the symbol index of each row. The rows of a symbol are adjacent, oldest first.
    pub fn symbol(&self) -> &'a [u32] {
        as_slice(self.0.symbol)
    }

    /// Checks that a list of rows is strictly ascending and within the table. `list` is the name of
    /// the list, such as `train_rows`.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if a row is invalid. The message names the list and the
    /// first invalid row.
    pub fn check_rows(&self, list: &str, rows: &[u32]) -> Result<()> {
        if let Some(pair) = rows.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(PluginError::data(format!(
                "{list} must be strictly ascending, found row {} before row {}",
                pair[0], pair[1]
            )));
        }
        match rows.last() {
            // The list is ascending, so its last row is the largest.
            Some(&last) if last as usize >= self.n_rows() => {
                Err(PluginError::data(format!("{list} contains row {last}, but the table has {} rows", self.n_rows())))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a base score has one value per row of the table.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the lengths differ.
    pub(crate) fn check_base_score(&self, base_score: &[f32]) -> Result<()> {
        let n_rows = self.n_rows();
        let n_found = base_score.len();
        if n_found != n_rows {
            let message = format!("found {n_found} base scores for {n_rows} rows, expected one per row");
            return Err(PluginError::data(message));
        }
        Ok(())
    }
}

/// Returns the slice with its original lifetime, so that it can outlive the borrow of the `RSlice`.
pub(crate) fn as_slice<'a, T>(slice: RSlice<'a, T>) -> &'a [T] {
    slice.as_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::testing::Frame;

    #[test]
    fn all_missing_features_are_named() {
        let frame = Frame::new(1, 1).column("RSI_14", vec![1.0]).rule_column("SMA_20", vec![1.0]);
        let table = Table::new(frame.table()).unwrap();
        assert_eq!(table.positions(["SMA_20", "RSI_14"]), Ok(vec![1, 0]));
        let error = table.positions(["ADX_14", "RSI_14", "RET_5"]).unwrap_err();
        let expected = "the table lacks ADX_14, RET_5, which the model needs";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, expected));
    }

    #[test]
    fn a_table_without_features_for_models_is_rejected() {
        let frame = Frame::new(1, 1).rule_column("SMA_20", vec![1.0]);
        let error = Table::new(frame.table()).unwrap().require_model_features().unwrap_err();
        let expected = "found 1 features, none of them for models; expected at least one";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, expected));
    }
}
