//! Stores the values of a feature table in an unnamed file, which is written in parts and then
//! mapped read-only.
//!
//! In: parts of columns, from many threads. Out: a [`Matrix`], which dereferences to a slice,
//! whether its values are in memory or in a file. Invariant: parts are written by position, never
//! through a mapping, so that a full disk is an error and not a signal.
//!
//! The file is in the temporary folder (`TMPDIR`). The kernel caches the file in memory as far as
//! it fits, so for tables larger than memory that folder must be on a disk.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{Mmap, MmapOptions};

/// Number of values that are converted and written at once.
const CHUNK: usize = 1 << 16;

/// A table could not be written to the temporary folder, usually because the disk is full.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the feature table to the temporary folder {folder}: {source}", folder = std::env::temp_dir().display())]
pub struct OutOfSpaceError {
    /// Error of the file operation.
    #[from]
    pub source: io::Error,
}

/// The remedy for an [`OutOfSpaceError`].
pub const OUT_OF_SPACE_HINT: &str = "free some space there, or set TMPDIR to a folder with enough space";

/// The layout of a table's file: bar times (`i64`), values (`f32`, column-major), session dates
/// (`i32`) and symbol indices (`u32`), all in the byte order of the machine.
///
/// A mapping starts at a page, and the part with the widest numbers comes first. So every part is
/// aligned for any number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of rows.
    pub n_rows: usize,
    /// Number of columns of values.
    pub n_features: usize,
}

impl Layout {
    /// Returns the number of values.
    pub fn n_values(self) -> usize {
        self.n_rows * self.n_features
    }

    /// Returns the byte range of the times.
    pub fn times(self) -> Range<usize> {
        0..8 * self.n_rows
    }

    /// Returns the byte range of the values.
    pub fn values(self) -> Range<usize> {
        after(self.times(), 4 * self.n_values())
    }

    /// Returns the byte range of the session dates.
    pub fn days(self) -> Range<usize> {
        after(self.values(), 4 * self.n_rows)
    }

    /// Returns the byte range of the symbol indices.
    pub fn symbols(self) -> Range<usize> {
        after(self.days(), 4 * self.n_rows)
    }

    /// Returns the length of the file in bytes.
    pub fn n_bytes(self) -> usize {
        self.symbols().end
    }
}

fn after(part: Range<usize>, n_bytes: usize) -> Range<usize> {
    part.end..part.end + n_bytes
}

/// The file of a table. It has no name, so that it is removed when its last handle is closed.
#[derive(Debug)]
pub struct TableFile {
    layout: Layout,
    writer: File,
    /// A handle that is open for reading only: a process that inherits it cannot write.
    reader: File,
}

impl TableFile {
    /// Creates the file of a table, with all parts still to be written.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be created in the temporary folder or extended to
    /// its length.
    pub fn create(layout: Layout) -> io::Result<Self> {
        // A read-only handle has to be opened by path, so the file has a name until both handles
        // exist.
        let named = tempfile::Builder::new().prefix("oculus-table-").tempfile()?;
        let reader = File::open(named.path())?;
        let writer = named.into_file();
        // Sets the length only. The disk blocks are allocated by the later writes, which report a
        // full disk.
        writer.set_len(layout.n_bytes() as u64)?;
        Ok(Self { layout, writer, reader })
    }

    /// Writes a part of a column as `f32`. Several threads may call this at the same time.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the write fails, for example because the disk is full.
    pub fn write_values(&self, feature_idx: usize, first_row: usize, values: &[f64]) -> io::Result<()> {
        // The buffer has a bounded size, because the memory might not suffice for a second copy of
        // a column on each thread.
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

    /// Writes bytes at an offset of the file.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the write fails, for example because the disk is full.
    pub fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all_at(bytes, at as u64)
    }

    /// Returns the layout of the file.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns another handle of the file, open for reading only.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the handle cannot be duplicated.
    pub fn read_only(&self) -> io::Result<File> {
        self.reader.try_clone()
    }

    /// Maps the values. The caller must have written all values first.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be mapped.
    pub fn into_matrix(self) -> io::Result<Matrix> {
        let range = self.layout.values();
        // The system call rejects a mapping of length 0.
        if range.is_empty() {
            return Ok(Matrix::default());
        }
        // SAFETY: the file has no name, so no process can open it for writing. `MappedFile` takes
        // the only writer of the file, and writes only the parts before and after the values. The
        // mapped bytes never change.
        let map = unsafe { MmapOptions::new().offset(range.start as u64).len(range.len()).map(&self.reader)? };
        Ok(Matrix(Storage::File(Arc::new(MappedFile { file: self, map, is_completed: AtomicBool::new(false) }))))
    }
}

/// A table's file whose values are written and mapped.
#[derive(Debug)]
struct MappedFile {
    file: TableFile,
    map: Mmap,
    /// Whether the row columns are written. They are written only once, because other processes may
    /// map them as soon as they are written.
    is_completed: AtomicBool,
}

/// Values in memory or in a table's file, read as a slice. A clone shares the values.
#[derive(Clone)]
pub struct Matrix(Storage);

#[derive(Clone)]
enum Storage {
    Memory(Arc<[f32]>),
    File(Arc<MappedFile>),
}

impl Matrix {
    /// Writes the row columns to the file of these values and returns a read-only handle of the
    /// file.
    ///
    /// Returns `None` for values in memory, and for a file that is already complete.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the write fails, for example because the disk is full, and
    /// [`io::ErrorKind::InvalidInput`] if a column does not have one entry per row.
    pub fn complete(&self, columns: &RowColumns<'_>) -> io::Result<Option<File>> {
        let Storage::File(written) = &self.0 else { return Ok(None) };
        // `Relaxed` is sufficient: the flag only selects the one caller that writes, and publishes
        // no other memory.
        if written.is_completed.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        columns.write(&written.file)?;
        written.file.read_only().map(Some)
    }
}

/// The columns of a table that are not features, with one entry per row.
#[derive(Clone, Copy, Debug)]
pub struct RowColumns<'a> {
    /// Start of each row's bar, seconds since 1970-01-01 UTC.
    pub times: &'a [i64],
    /// Session date of each row, days since 1970-01-01.
    pub days: &'a [i32],
    /// Symbol index of each row.
    pub symbols: &'a [u32],
}

impl RowColumns<'_> {
    /// Writes each column at its offset in the file.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the write fails, for example because the disk is full, and
    /// [`io::ErrorKind::InvalidInput`] if a column does not have one entry per row.
    pub fn write(&self, file: &TableFile) -> io::Result<()> {
        let layout = file.layout();
        let found = [self.times.len(), self.days.len(), self.symbols.len()];
        if found != [layout.n_rows; 3] {
            let message = format!(
                "invalid row columns: found {found:?} times, days and symbols, expected {} of each",
                layout.n_rows
            );
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
            Storage::Memory(values) => values,
            Storage::File(written) => bytemuck::cast_slice(&written.map),
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
        Self(Storage::Memory(values.into()))
    }
}

impl Default for Matrix {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if matches!(self.0, Storage::File(_)) { "a file" } else { "memory" };
        write!(f, "Matrix({} values in {place})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { n_rows: 3, n_features: 2 };

    #[test]
    fn parts_may_be_written_in_any_order() {
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
    fn row_columns_do_not_change_the_values() {
        let file = TableFile::create(LAYOUT).unwrap();
        (0..2).for_each(|column| file.write_values(column, 0, &[7.0; 3]).unwrap());
        let matrix = file.into_matrix().unwrap();
        let columns = RowColumns { times: &[-1; 3], days: &[-1; 3], symbols: &[u32::MAX; 3] };
        let file = matrix.complete(&columns).unwrap().unwrap();
        assert_eq!(*matrix, [7.0; 6]);
        assert_eq!(file.metadata().unwrap().len(), LAYOUT.n_bytes() as u64);
        assert!(file.write_at(b"x", 0).is_err(), "the handle for child processes is read-only");
        assert!(matrix.complete(&columns).unwrap().is_none(), "row columns are written once only");
    }

    #[test]
    fn a_column_without_one_entry_per_row_is_rejected() {
        let columns = RowColumns { times: &[1; 3], days: &[1], symbols: &[1; 3] };
        let error = columns.write(&TableFile::create(LAYOUT).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "invalid row columns: found [3, 1, 3] times, days and symbols, expected 3 of each"
        );
    }

    #[test]
    fn a_table_without_rows_is_an_empty_slice() {
        let file = TableFile::create(Layout { n_rows: 0, n_features: 2 }).unwrap();
        assert!(file.into_matrix().unwrap().is_empty());
    }
}
