//! The values of a feature table in a file without a name, written in parts, then mapped read-only.
//!
//! In: parts of columns, from many threads. Out: a [`Matrix`], which reads as a slice wherever its
//! values are. Parts are written by position and never through a mapping, so that a full disk is an
//! error, not a signal. The file is in the temporary folder (`TMPDIR`): the kernel keeps in memory
//! what fits and the rest on disk, so for tables larger than memory that folder must be on a disk.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{Mmap, MmapOptions};

/// Numbers that are converted and written at once.
const CHUNK: usize = 1 << 16;

/// The temporary folder has no space for a table.
#[derive(Debug, thiserror::Error)]
#[error("the feature table cannot be written into the temporary folder {folder}: {source}", folder = std::env::temp_dir().display())]
pub struct OutOfSpaceError {
    /// The error of the file system.
    #[from]
    pub source: io::Error,
}

/// The remedy for an [`OutOfSpaceError`].
pub const OUT_OF_SPACE_HINT: &str = "free some space there, or set TMPDIR to a folder with room";

/// Where the parts of a table's file lie: bar times (`i64`), values (`f32`, column-major), session days (`i32`), symbol
/// indices (`u32`), all in the machine's own byte order. The widest come first: a mapping starts at a page, so that
/// every part is aligned whatever the number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows.
    pub n_rows: usize,
    /// Columns of values.
    pub n_features: usize,
}

impl Layout {
    /// Number of values.
    pub fn n_values(self) -> usize {
        self.n_rows * self.n_features
    }

    /// Bytes of the times.
    pub fn times(self) -> Range<usize> {
        0..8 * self.n_rows
    }

    /// Bytes of the values.
    pub fn values(self) -> Range<usize> {
        after(self.times(), 4 * self.n_values())
    }

    /// Bytes of the session days.
    pub fn days(self) -> Range<usize> {
        after(self.values(), 4 * self.n_rows)
    }

    /// Bytes of the symbol indices.
    pub fn symbols(self) -> Range<usize> {
        after(self.days(), 4 * self.n_rows)
    }

    /// Length of the file.
    pub fn n_bytes(self) -> usize {
        self.symbols().end
    }
}

fn after(part: Range<usize>, n_bytes: usize) -> Range<usize> {
    part.end..part.end + n_bytes
}

/// A table's file: it has no name, so that it is removed when its last handle is closed.
#[derive(Debug)]
pub struct TableFile {
    layout: Layout,
    writer: File,
    /// Opened for reading only: a process that inherits it cannot write.
    reader: File,
}

impl TableFile {
    /// Creates the file of a table; its parts are not written yet.
    ///
    /// # Errors
    /// The file system's own.
    pub fn create(layout: Layout) -> io::Result<Self> {
        let named = tempfile::Builder::new().prefix("oculus-table-").tempfile()?;
        let reader = File::open(named.path())?;
        let writer = named.into_file();
        writer.set_len(layout.n_bytes() as u64)?;
        Ok(Self { layout, writer, reader })
    }

    /// Writes a part of a column; from any thread.
    ///
    /// # Errors
    /// The file system's own, such as a full disk.
    pub fn write_values(&self, feature_idx: usize, first_row: usize, values: &[f64]) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(values.len().min(CHUNK));
        let mut at = self.layout.values().start + 4 * (feature_idx * self.layout.n_rows + first_row);
        for chunk in values.chunks(CHUNK) {
            buffer.clear();
            buffer.extend(chunk.iter().map(|&value| value as f32));
            self.write(at, bytemuck::cast_slice(&buffer))?;
            at += 4 * chunk.len();
        }
        Ok(())
    }

    /// Writes bytes at a place of the layout.
    ///
    /// # Errors
    /// The file system's own, such as a full disk.
    pub fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all_at(bytes, at as u64)
    }

    /// Returns the sizes of the table.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns another handle of the file that can only be read.
    ///
    /// # Errors
    /// If the system cannot duplicate the handle.
    pub fn read_only(&self) -> io::Result<File> {
        self.reader.try_clone()
    }

    /// Maps the values, all of which must be written by now.
    ///
    /// # Errors
    /// If the system cannot map the file.
    pub fn into_matrix(self) -> io::Result<Matrix> {
        let range = self.layout.values();
        if range.is_empty() {
            return Ok(Matrix::default());
        }
        // SAFETY: the file has no name, and its only writer goes into `Written`, which writes the columns next to the
        // values and nothing else: the mapped bytes stay as they are.
        let map = unsafe { MmapOptions::new().offset(range.start as u64).len(range.len()).map(&self.reader)? };
        Ok(Matrix(Store::File(Arc::new(Written { file: self, map, is_completed: AtomicBool::new(false) }))))
    }
}

/// A file whose values are written and mapped.
#[derive(Debug)]
struct Written {
    file: TableFile,
    map: Mmap,
    /// Whether the row columns are written; other processes may have mapped them by then, so they are written once.
    is_completed: AtomicBool,
}

/// Numbers in memory or in a table's file; read as a slice, cloned at no cost.
#[derive(Clone)]
pub struct Matrix(Store);

#[derive(Clone)]
enum Store {
    Memory(Arc<[f32]>),
    File(Arc<Written>),
}

impl Matrix {
    /// Writes the row columns into the file that holds these values, and returns a read-only handle of it; `None` for
    /// values in memory, and for a file that was completed before.
    ///
    /// # Errors
    /// The file system's own, such as a full disk; `InvalidInput` for columns that are not one entry per row.
    pub fn complete(&self, columns: &RowColumns<'_>) -> io::Result<Option<File>> {
        let Store::File(written) = &self.0 else { return Ok(None) };
        if written.is_completed.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        columns.write(&written.file)?;
        written.file.read_only().map(Some)
    }
}

/// The columns next to the values in a table's file, with one entry per row.
#[derive(Clone, Copy, Debug)]
pub struct RowColumns<'a> {
    /// Bar times.
    pub times: &'a [i64],
    /// Session days.
    pub days: &'a [i32],
    /// Symbol indices.
    pub symbols: &'a [u32],
}

impl RowColumns<'_> {
    /// Writes each column at its place.
    ///
    /// # Errors
    /// The file system's own, such as a full disk; `InvalidInput` for columns that are not one entry per row.
    pub fn write(&self, file: &TableFile) -> io::Result<()> {
        let layout = file.layout();
        let found = [self.times.len(), self.days.len(), self.symbols.len()];
        if found != [layout.n_rows; 3] {
            let message = format!("times, days and symbols are {found:?}, needed {}", layout.n_rows);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        file.write(layout.times().start, bytemuck::cast_slice(self.times))?;
        file.write(layout.days().start, bytemuck::cast_slice(self.days))?;
        file.write(layout.symbols().start, bytemuck::cast_slice(self.symbols))
    }
}

impl Deref for Matrix {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Store::Memory(values) => values,
            Store::File(written) => bytemuck::cast_slice(&written.map),
        }
    }
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<Vec<f32>> for Matrix {
    fn from(values: Vec<f32>) -> Self {
        Self(Store::Memory(values.into()))
    }
}

impl Default for Matrix {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if matches!(self.0, Store::File(_)) { "a file" } else { "memory" };
        write!(f, "Matrix({} values in {place})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { n_rows: 3, n_features: 2 };

    #[test]
    fn parts_written_in_any_order_read_as_columns() {
        let file = TableFile::create(LAYOUT).unwrap();
        file.write_values(1, 1, &[5.0, 6.0]).unwrap();
        file.write_values(0, 0, &[1.0, 2.0, 3.0]).unwrap();
        file.write_values(1, 0, &[4.0]).unwrap();
        let matrix = file.into_matrix().unwrap();
        assert_eq!(*matrix, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(*matrix.clone(), *matrix);
    }

    #[test]
    fn long_columns_are_written_completely() {
        let n_rows = 2 * CHUNK + 7;
        let values: Vec<f64> = (0..n_rows).map(|row| row as f64).collect();
        let file = TableFile::create(Layout { n_rows, n_features: 1 }).unwrap();
        file.write_values(0, 0, &values).unwrap();
        let matrix = file.into_matrix().unwrap();
        assert!(matrix.iter().zip(&values).all(|(found, value)| f64::from(*found) == *value));
    }

    #[test]
    fn row_columns_leave_the_values_as_they_are() {
        let file = TableFile::create(LAYOUT).unwrap();
        (0..2).for_each(|column| file.write_values(column, 0, &[7.0; 3]).unwrap());
        let matrix = file.into_matrix().unwrap();
        let columns = RowColumns { times: &[-1; 3], days: &[-1; 3], symbols: &[u32::MAX; 3] };
        let file = matrix.complete(&columns).unwrap().unwrap();
        assert_eq!(*matrix, [7.0; 6]);
        assert_eq!(file.metadata().unwrap().len(), LAYOUT.n_bytes() as u64);
        assert!(file.write_at(b"x", 0).is_err(), "the handle of the children is read-only");
        assert!(matrix.complete(&columns).unwrap().is_none(), "what others may have mapped is written once");
    }

    #[test]
    fn a_column_that_is_not_one_entry_per_row_is_never_written() {
        let columns = RowColumns { times: &[1; 3], days: &[1], symbols: &[1; 3] };
        let error = columns.write(&TableFile::create(LAYOUT).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "times, days and symbols are [3, 1, 3], needed 3");
    }

    #[test]
    fn a_table_without_rows_is_an_empty_slice() {
        let file = TableFile::create(Layout { n_rows: 0, n_features: 2 }).unwrap();
        assert!(file.into_matrix().unwrap().is_empty());
    }
}
