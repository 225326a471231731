//! Columns of numbers in an unnamed temporary file, so that a table may be larger than memory.
//!
//! In: whole columns. Out: any range of rows of a column. Invariant: the file disappears when the
//! process exits.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Columns of `n_rows` numbers, stored one after the other in a temporary file.
#[derive(Debug)]
pub(super) struct Columns {
    file: File,
    n_rows: usize,
}

impl Columns {
    /// Creates the temporary file, without any column.
    ///
    /// # Errors
    /// Returns an [`io::Error`] if the file cannot be created in the temporary folder.
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
    /// Returns an [`io::Error`] if the file cannot be written, for example because the disk is
    /// full.
    pub(super) fn write(&self, column_idx: usize, values: &[f64]) -> io::Result<()> {
        self.file.write_all_at(bytemuck::cast_slice(values), self.offset(column_idx, 0))
    }

    /// Reads a range of rows of a column.
    ///
    /// # Errors
    /// Returns an [`io::Error`] if the file cannot be read or the column was never written.
    pub(super) fn read(&self, column_idx: usize, rows: Range<usize>) -> io::Result<Vec<f64>> {
        let mut values = vec![0.0; rows.len()];
        self.file.read_exact_at(bytemuck::cast_slice_mut(&mut values), self.offset(column_idx, rows.start))?;
        Ok(values)
    }

    /// Returns the position of a value in the file, in bytes.
    fn offset(&self, column_idx: usize, row: usize) -> u64 {
        // A number has 8 bytes. Positions beyond the end of the file are valid, so columns can be
        // written in any order.
        8 * (column_idx * self.n_rows + row) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_unchanged_in_any_order() {
        let columns = Columns::create(3).unwrap();
        columns.write(1, &[4.0, f64::NAN, 6.0]).unwrap();
        columns.write(0, &[1.0, 2.0, 0.1 + 0.2]).unwrap();
        assert_eq!(columns.read(0, 1..3).unwrap(), [2.0, 0.1 + 0.2]);
        let second = columns.read(1, 0..3).unwrap();
        assert!(second[0] == 4.0 && second[1].is_nan() && second[2] == 6.0);
        assert!(columns.read(1, 2..4).is_err());
    }
}
