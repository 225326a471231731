//! Columns of numbers in a nameless file of the temporary folder: written one by one, read a few
//! rows at a time, so that a table may be larger than memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Columns of `n_rows` numbers each.
#[derive(Debug)]
pub(super) struct Columns {
    file: File,
    n_rows: usize,
}

impl Columns {
    /// Creates columns that are not yet written.
    ///
    /// # Errors
    /// The file system's own.
    pub(super) fn create(n_rows: usize) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, n_rows })
    }

    /// Returns the number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Writes a whole column.
    ///
    /// # Errors
    /// The file system's own, such as a full disk.
    pub(super) fn write(&self, column_idx: usize, values: &[f64]) -> io::Result<()> {
        self.file.write_all_at(bytemuck::cast_slice(values), self.place(column_idx, 0))
    }

    /// Reads some rows of a column.
    ///
    /// # Errors
    /// The file system's own.
    pub(super) fn read(&self, column_idx: usize, rows: Range<usize>) -> io::Result<Vec<f64>> {
        let mut values = vec![0.0; rows.len()];
        self.file.read_exact_at(bytemuck::cast_slice_mut(&mut values), self.place(column_idx, rows.start))?;
        Ok(values)
    }

    fn place(&self, column_idx: usize, row: usize) -> u64 {
        8 * (column_idx * self.n_rows + row) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_as_they_were_written() {
        let columns = Columns::create(3).unwrap();
        columns.write(1, &[4.0, f64::NAN, 6.0]).unwrap();
        columns.write(0, &[1.0, 2.0, 0.1 + 0.2]).unwrap();
        assert_eq!(columns.read(0, 1..3).unwrap(), [2.0, 0.1 + 0.2]);
        let second = columns.read(1, 0..3).unwrap();
        assert!(second[0] == 4.0 && second[1].is_nan() && second[2] == 6.0);
        assert!(columns.read(1, 2..4).is_err());
    }
}
