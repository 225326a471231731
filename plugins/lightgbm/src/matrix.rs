//! Selected rows and columns of a table as a row-major matrix, the layout that LightGBM reads.

use oculus_plugin_api::Table;

/// Rows copied at once. Chunks limit the memory of the copy, which would otherwise be as large as
/// the table.
pub(crate) const CHUNK_ROWS: usize = 8192;

/// A dense matrix, row-major.
pub(crate) struct Matrix {
    values: Vec<f32>,
    n_columns: usize,
}

impl Matrix {
    /// Copies the given columns of the given rows, each in the order of its list.
    pub(crate) fn gather(table: &Table<'_>, columns: &[usize], rows: &[u32]) -> Self {
        let n_columns = columns.len();
        let mut values = vec![0.0; rows.len() * n_columns];
        for (position, &column_idx) in columns.iter().enumerate() {
            let column = table.column(column_idx);
            for (row, out) in rows.iter().zip(values.iter_mut().skip(position).step_by(n_columns)) {
                *out = column[*row as usize];
            }
        }
        Self { values, n_columns }
    }

    /// Returns all values, row-major.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the number of columns.
    pub(crate) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Returns the number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.values.len() / self.n_columns.max(1)
    }
}
