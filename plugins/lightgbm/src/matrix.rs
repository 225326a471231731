//! Some rows and columns of a table, row by row, as LightGBM takes them.

use oculus_plugin_api::Table;

/// Rows handed over at once: what is copied of a table at a time stays small.
pub(crate) const CHUNK_ROWS: usize = 8192;

/// A dense matrix, row-major.
pub(crate) struct Matrix {
    values: Vec<f32>,
    n_columns: usize,
}

impl Matrix {
    /// Copies the columns `columns` of the rows `rows`, in that order.
    pub(crate) fn gather(table: &Table<'_>, columns: &[usize], rows: &[u32]) -> Self {
        let n_columns = columns.len();
        let mut values = vec![0.0; rows.len() * n_columns];
        for (place, &column_idx) in columns.iter().enumerate() {
            let column = table.column(column_idx);
            for (row, out) in rows.iter().zip(values.iter_mut().skip(place).step_by(n_columns)) {
                *out = column[*row as usize];
            }
        }
        Self { values, n_columns }
    }

    /// All values, row by row.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Number of columns.
    pub(crate) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.values.len() / self.n_columns.max(1)
    }
}
