//! Rows as the bytes of a Parquet file, with a checksum and, for a page, the place of the next one.
//!
//! In: rows. Out: bytes, and rows again bit for bit. Invariant: a file that was damaged is an error, never other rows.

use std::io;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused};
use polars::prelude::PolarsResult;

use super::error::{PolygonError, cache_error};
use super::files;
use crate::parquet;

/// Name of a file of the cache in messages; the caller adds its path.
const FILE: &str = "the file";
const CHECKSUM: &str = "sha256";
const NEXT: &str = "next";

/// Content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// The rows.
    pub rows: Vec<Row>,
    /// Path and query of the page after this one.
    pub next: Option<String>,
}

impl Table {
    /// Returns the table as a Parquet file.
    ///
    /// # Errors
    /// The writer's own.
    fn to_bytes(&self) -> PolarsResult<Vec<u8>> {
        let mut notes = vec![(CHECKSUM.to_owned(), self.checksum())];
        notes.extend(self.next.clone().map(|next| (NEXT.to_owned(), next)));
        parquet::to_bytes(&self.rows, notes)
    }

    /// Writes the table to a file, durably. The caller has locked the folder.
    ///
    /// # Errors
    /// The writer's and the file system's.
    pub(crate) fn store(&self, path: &Path) -> Result<(), PolygonError> {
        let bytes = self.to_bytes().map_err(|error| cache_error(path)(io::Error::other(error)))?;
        files::replace(path, &bytes)
    }

    /// Reads a file that [`Table::to_bytes`] has written.
    ///
    /// # Errors
    /// `bad_bars` for any other file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        let mut notes = parquet::notes(bytes, FILE)?;
        // Times are seconds for every timeframe, so they are read as those of the shortest.
        let rows = parquet::from_bytes(bytes, FILE, Timeframe::Minute1)?;
        let table = Self { rows, next: notes.remove(NEXT) };
        if notes.get(CHECKSUM) == Some(&table.checksum()) {
            Ok(table)
        } else {
            let message = "its numbers are not those that were written".to_owned();
            Err(refused(ErrorCode::BadBars, message, "fetch the bars again"))
        }
    }

    fn checksum(&self) -> String {
        let mut bytes = Vec::with_capacity(self.rows.len() * 48);
        for row in &self.rows {
            bytes.extend(row.time.to_le_bytes());
            bytes.extend(row.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes.extend(self.next.iter().flat_map(|next| next.bytes()));
        sha256_hex(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row =
            |idx: usize| Row { line: idx + 1, time: 86_400 * idx as i64, values: [1.0, 2.5, 0.1 + 0.2, 1e-9, 7e17] };
        Table { rows: (0..200).map(row).collect(), next: Some("/v2/aggs?cursor=b%3D".to_owned()) }
    }

    #[test]
    fn rows_come_back_bit_for_bit_also_none() {
        for table in [table(), Table::default(), Table { next: None, ..table() }] {
            assert_eq!(Table::from_bytes(&table.to_bytes().unwrap()).unwrap(), table);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_other_rows() {
        let whole = table().to_bytes().unwrap();
        for n_bytes in (0..whole.len()).step_by(7) {
            assert!(Table::from_bytes(&whole[..n_bytes]).is_err(), "the first {n_bytes} bytes");
        }
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x24;
            if let Ok(read) = Table::from_bytes(&damaged) {
                assert_eq!(read, table(), "byte {position}");
            }
        }
    }
}
