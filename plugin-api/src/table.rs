//! The feature table as an author sees it: checked once, then plain slices.

use abi_stable::std_types::{RSlice, RStr};

use crate::{PluginError, Result, abi};

/// Who gets a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureRole {
    /// Models and rules.
    Model,
    /// Rules only: a level, which means nothing across symbols or years.
    Rule,
}

impl FeatureRole {
    /// The number that crosses the boundary.
    pub fn code(self) -> u32 {
        match self {
            Self::Model => 0,
            Self::Rule => 1,
        }
    }

    /// A role that this version does not know is kept from models.
    fn from_code(code: u32) -> Self {
        if code == 0 { Self::Model } else { Self::Rule }
    }
}

/// Features of all symbols: one row a bar, ordered by symbol, then time; one column a feature.
///
/// Cheap to copy: it borrows everything from the host.
#[derive(Clone, Copy)]
pub struct Table<'a>(abi::Table<'a>);

impl<'a> Table<'a> {
    /// Wraps what crossed the boundary.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) when lengths do not fit together.
    pub fn new(raw: abi::Table<'a>) -> Result<Self> {
        let n_rows = raw.n_rows as usize;
        let n_features = raw.n_features as usize;
        let is_whole = n_rows.checked_mul(n_features) == Some(raw.values.len())
            && [raw.time.len(), raw.day.len(), raw.symbol.len()] == [n_rows; 3]
            && (raw.names.len(), raw.roles.len()) == (n_features, n_features);
        if !is_whole {
            return Err(PluginError::data(format!(
                "a table of {n_rows} rows and {n_features} features came with {} values, {} times, {} days, {} \
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

    /// What crosses the boundary.
    pub fn raw(&self) -> abi::Table<'a> {
        self.0
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.0.n_rows as usize
    }

    /// Number of features, those for rules included.
    pub fn n_features(&self) -> usize {
        self.0.n_features as usize
    }

    /// All values, column-major, `n_features × n_rows`.
    pub fn values(&self) -> &'a [f32] {
        as_slice(self.0.values)
    }

    /// The values of one feature, one a row.
    pub fn column(&self, feature_idx: usize) -> &'a [f32] {
        let n_rows = self.n_rows();
        &self.values()[feature_idx * n_rows..(feature_idx + 1) * n_rows]
    }

    /// The name of one feature, such as `RSI_14`.
    pub fn name(&self, feature_idx: usize) -> &'a str {
        let name: RStr<'a> = as_slice(self.0.names)[feature_idx];
        name.as_str()
    }

    /// The position of a feature by name.
    pub fn position(&self, name: &str) -> Option<usize> {
        (0..self.n_features()).find(|&idx| self.name(idx) == name)
    }

    /// Who gets one feature.
    pub fn role(&self, feature_idx: usize) -> FeatureRole {
        FeatureRole::from_code(self.0.roles[feature_idx])
    }

    /// Columns that models may learn from, ascending.
    pub fn model_features(&self) -> Vec<usize> {
        (0..self.n_features()).filter(|&idx| self.role(idx) == FeatureRole::Model).collect()
    }

    /// Returns the columns for models, ascending; at least one.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for a table without such a column.
    pub fn require_model_features(&self) -> Result<Vec<usize>> {
        let features = self.model_features();
        if features.is_empty() {
            let n_features = self.n_features();
            return Err(PluginError::data(format!("none of the {n_features} features is for models; needs one")));
        }
        Ok(features)
    }

    /// Finds the columns of a model's features by name, in the order of the names.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for a table that lacks any of them, naming all that it lacks.
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
                None => missing.push(name.as_ref().to_owned()),
            }
        }
        if !missing.is_empty() {
            return Err(PluginError::data(format!("the table lacks {}, which the model needs", missing.join(", "))));
        }
        Ok(positions)
    }

    /// Start of each row's bar, seconds since 1970-01-01 UTC.
    pub fn time(&self) -> &'a [i64] {
        as_slice(self.0.time)
    }

    /// Session date of each row, days since 1970-01-01.
    pub fn day(&self) -> &'a [i32] {
        as_slice(self.0.day)
    }

    /// Symbol index of each row. Rows of one symbol stand together, oldest first.
    pub fn symbol(&self) -> &'a [u32] {
        as_slice(self.0.symbol)
    }

    /// Refuses row lists that do not ascend strictly within the table.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA), naming the list and the first offender.
    pub fn check_rows(&self, what: &str, rows: &[u32]) -> Result<()> {
        if let Some(pair) = rows.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(PluginError::data(format!("{what} must ascend, found row {} before {}", pair[0], pair[1])));
        }
        match rows.last() {
            Some(&last) if last as usize >= self.n_rows() => {
                Err(PluginError::data(format!("{what} names row {last} of a table of {} rows", self.n_rows())))
            }
            _ => Ok(()),
        }
    }
}

/// `RSlice::as_slice` for the slice's own lifetime.
pub(crate) fn as_slice<'a, T>(slice: RSlice<'a, T>) -> &'a [T] {
    slice.as_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::testing::Frame;

    #[test]
    fn all_features_that_a_table_lacks_are_named() {
        let frame = Frame::new(1, 1).column("RSI_14", vec![1.0]).rule_column("SMA_20", vec![1.0]);
        let table = Table::new(frame.table()).unwrap();
        assert_eq!(table.positions(["SMA_20", "RSI_14"]), Ok(vec![1, 0]));
        let error = table.positions(["ADX_14", "RSI_14", "RET_5"]).unwrap_err();
        let needed = "the table lacks ADX_14, RET_5, which the model needs";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, needed));
    }

    #[test]
    fn a_table_without_features_for_models_is_refused() {
        let frame = Frame::new(1, 1).rule_column("SMA_20", vec![1.0]);
        let error = Table::new(frame.table()).unwrap().require_model_features().unwrap_err();
        let needed = "none of the 1 features is for models; needs one";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, needed));
    }
}
