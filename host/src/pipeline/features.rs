//! Technical features of bars.

use oculus_plugin_api::FeatureRole;

/// All features of all symbols: one row a bar after the warm-up, ordered by symbol, then time.
#[derive(Clone, Debug, Default)]
pub struct FeatureTable {
    /// Names, one a column.
    pub names: Vec<String>,
    /// Whether models get the column or only rules do.
    pub roles: Vec<FeatureRole>,
    /// Column-major, `n_features × n_rows`, finite.
    pub values: Vec<f32>,
    /// Tickers, by symbol index.
    pub symbols: Vec<String>,
    /// Symbol index of each row.
    pub symbol: Vec<u32>,
    /// Bar index of each row in its symbol's bars.
    pub bar: Vec<u32>,
    /// Start of the row's bar, seconds since 1970-01-01 UTC.
    pub time: Vec<i64>,
    /// Session date of each row, days since 1970-01-01.
    pub day: Vec<i32>,
}

impl FeatureTable {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.day.len()
    }

    /// The values of one feature, one a row.
    pub fn column(&self, feature_idx: usize) -> &[f32] {
        let n_rows = self.n_rows();
        &self.values[feature_idx * n_rows..(feature_idx + 1) * n_rows]
    }

    /// The values of a feature by name.
    pub fn by_name(&self, name: &str) -> Option<&[f32]> {
        self.names.iter().position(|other| other == name).map(|idx| self.column(idx))
    }
}
