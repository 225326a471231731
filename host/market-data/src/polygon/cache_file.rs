//! Converts rows to a Parquet file with a checksum, and back. A page also stores the URL of the
//! next page.
//!
//! In: rows. Out: bytes. Decoding these bytes returns the same rows bit for bit. Invariant: reading
//! a damaged file returns an error, never rows that differ from those written.

use std::io;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused};
use polars::prelude::PolarsResult;

use super::error::{PolygonError, cache_error};
use super::files;
use crate::parquet;

/// Name of a cache file in messages. The caller adds the path.
const FILE: &str = "the file";
const CHECKSUM: &str = "sha256";
const NEXT: &str = "next";

/// The content of a cache file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CacheFile {
    /// The rows.
    pub rows: Vec<Row>,
    /// Path and query of the next page. `None` if the file is the last page or is not a page.
    pub next: Option<String>,
}

impl CacheFile {
    /// Encodes the table as a Parquet file.
    ///
    /// # Errors
    /// Returns the error of the Parquet encoder.
    fn to_bytes(&self) -> PolarsResult<Vec<u8>> {
        let mut metadata = vec![(CHECKSUM.to_owned(), self.checksum())];
        metadata.extend(self.next.clone().map(|next| (NEXT.to_owned(), next)));
        parquet::to_bytes(&self.rows, metadata)
    }

    /// Writes the table to a file durably. The caller must have locked the series.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the table cannot be encoded or the file cannot be
    /// written.
    pub(crate) fn store(&self, path: &Path) -> Result<(), PolygonError> {
        let bytes = self.to_bytes().map_err(|error| cache_error(path)(io::Error::other(error)))?;
        files::replace(path, &bytes)
    }

    /// Decodes a file that was written by [`CacheFile::store`].
    ///
    /// # Errors
    /// Returns a failure with the code `bad_bars` if the file is damaged or is not a cache file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, JobError> {
        let mut metadata = parquet::key_value_metadata(bytes, FILE)?;
        // Cache files store times in seconds for every timeframe. They are decoded as intraday
        // times, because the time of an intraday bar need not be midnight.
        let rows = parquet::from_bytes(bytes, FILE, Timeframe::Minute1)?;
        let table = Self { rows, next: metadata.remove(NEXT) };
        // Parquet has no checksum of its values. Without this check, a damaged byte could change a
        // price without notice.
        if metadata.get(CHECKSUM) == Some(&table.checksum()) {
            Ok(table)
        } else {
            let message = "the checksum of its numbers is wrong".to_owned();
            Err(refused(ErrorCode::BadBars, message, "fetch the bars again"))
        }
    }

    fn checksum(&self) -> String {
        let mut bytes = Vec::with_capacity(self.rows.len() * 48);
        for row in &self.rows {
            bytes.extend(row.time.to_le_bytes());
            bytes.extend(row.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        // The checksum also covers the URL of the next page, because a damaged URL could skip or
        // repeat bars.
        bytes.extend(self.next.iter().flat_map(|next| next.bytes()));
        sha256_hex(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CacheFile {
        let row =
            |idx: usize| Row { line: idx + 1, time: 86_400 * idx as i64, values: [1.0, 2.5, 0.1 + 0.2, 1e-9, 7e17] };
        CacheFile { rows: (0..200).map(row).collect(), next: Some("/v2/aggs?cursor=b%3D".to_owned()) }
    }

    #[test]
    fn rows_and_empty_tables_survive_a_round_trip_bit_for_bit() {
        for table in [table(), CacheFile::default(), CacheFile { next: None, ..table() }] {
            assert_eq!(CacheFile::from_bytes(&table.to_bytes().unwrap()).unwrap(), table);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_yields_other_rows() {
        let bytes = table().to_bytes().unwrap();
        for n_bytes in (0..bytes.len()).step_by(7) {
            assert!(CacheFile::from_bytes(&bytes[..n_bytes]).is_err(), "the first {n_bytes} bytes");
        }
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x24;
            if let Ok(read) = CacheFile::from_bytes(&damaged) {
                assert_eq!(read, table(), "byte {position}");
            }
        }
    }
}
