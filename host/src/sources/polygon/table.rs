//! Rows as the bytes of a Parquet file, with a checksum and, for a page, the way to the next one.
//!
//! In: rows. Out: bytes, and rows again bit for bit. Invariant: a file that was damaged is an error, never other rows.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{
    Column, DataFrame, KeyValueMetadata, NamedFrom, ParquetReader, ParquetWriter, PolarsResult, SerReader, Series,
};

use crate::hash::sha256_hex;
use crate::pipeline::bars::Row;

const TIME: &str = "time";
const VALUES: [&str; 5] = ["open", "high", "low", "close", "volume"];
const CHECKSUM: &str = "sha256";
const NEXT: &str = "next";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The rows.
    pub rows: Vec<Row>,
    /// Path and query of the page after this one.
    pub next: Option<String>,
}

impl Table {
    /// As a Parquet file: `time` in seconds since 1970-01-01 UTC, and the five values.
    ///
    /// # Errors
    /// The format's, in words.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let times: Vec<i64> = self.rows.iter().map(|row| row.time).collect();
        let mut columns = vec![Column::from(Series::new(TIME.into(), times))];
        for (idx, name) in VALUES.into_iter().enumerate() {
            let values: Vec<f64> = self.rows.iter().map(|row| row.values[idx]).collect();
            columns.push(Column::from(Series::new(name.into(), values)));
        }
        let mut metadata = vec![(CHECKSUM.to_owned(), self.checksum())];
        metadata.extend(self.next.clone().map(|next| (NEXT.to_owned(), next)));
        let write = || -> PolarsResult<Vec<u8>> {
            let mut frame = DataFrame::new(self.rows.len(), columns)?;
            let mut bytes = Vec::new();
            let writer = ParquetWriter::new(&mut bytes);
            writer.with_key_value_metadata(Some(KeyValueMetadata::from_static(metadata))).finish(&mut frame)?;
            Ok(bytes)
        };
        write().map_err(|error| error.to_string())
    }

    /// What [`Table::to_bytes`] has written.
    ///
    /// # Errors
    /// Anything else, in words.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        // The reader trusts lengths within the file and may panic over damaged ones.
        let read = catch_unwind(AssertUnwindSafe(|| Self::read(bytes)));
        let table = read.map_err(|_| "it is damaged beyond reading".to_owned())?;
        let (table, checksum) = table.map_err(|error| error.to_string())?;
        if checksum.as_deref() == Some(&table.checksum()) {
            Ok(table)
        } else {
            Err("its numbers are not those that were written".to_owned())
        }
    }

    /// The table, and the checksum that stands in the file.
    fn read(bytes: Vec<u8>) -> PolarsResult<(Self, Option<String>)> {
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let metadata = reader.get_metadata()?.key_value_metadata().clone().unwrap_or_default();
        let noted = |name: &str| metadata.iter().find(|pair| pair.key == name).and_then(|pair| pair.value.clone());
        let frame = reader.finish()?;
        let times = frame.column(TIME)?.i64()?;
        let mut columns = Vec::with_capacity(VALUES.len());
        for name in VALUES {
            columns.push(frame.column(name)?.f64()?);
        }
        let mut rows = Vec::with_capacity(frame.height());
        for idx in 0..frame.height() {
            // A null is no number that was written: the checksum tells.
            let values = std::array::from_fn(|column: usize| columns[column].get(idx).unwrap_or(f64::NAN));
            rows.push(Row { line: idx + 1, time: times.get(idx).unwrap_or(i64::MIN), values });
        }
        Ok((Self { rows, next: noted(NEXT) }, noted(CHECKSUM)))
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
#[allow(clippy::unwrap_used)]
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
            assert_eq!(Table::from_bytes(table.to_bytes().unwrap()).unwrap(), table);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_other_rows() {
        let whole = table().to_bytes().unwrap();
        for n_bytes in (0..whole.len()).step_by(7) {
            assert!(Table::from_bytes(whole[..n_bytes].to_vec()).is_err(), "the first {n_bytes} bytes");
        }
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x24;
            if let Ok(read) = Table::from_bytes(damaged) {
                assert_eq!(read, table(), "byte {position}");
            }
        }
    }
}
