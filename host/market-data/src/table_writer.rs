//! Writes tables as Parquet files.
//!
//! In: data frames. Out: bytes, or a file that is written one row group at a time.

use std::io::Write;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{DataFrame, ParquetWriter, PolarsResult, Schema};

/// The writer that receives the bytes of a Parquet file. Polars' encoder is large and generic over
/// the type of the writer. All files have the same type of writer, so the program contains the
/// encoder's code only once.
pub(crate) type Destination<'a> = Box<dyn Write + 'a>;

/// Encodes a table as the bytes of a Parquet file.
///
/// # Errors
/// Returns the error of the Parquet encoder.
pub fn parquet_bytes(mut table: DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(Box::new(&mut bytes) as Destination<'_>).finish(&mut table)?;
    Ok(bytes)
}

/// A Parquet file that is written one row group at a time.
pub struct TableWriter<'a>(BatchedWriter<Destination<'a>>);

impl<'a> TableWriter<'a> {
    /// Starts a file for tables with a schema.
    ///
    /// # Errors
    /// Returns an error if `out` cannot be written, or if Parquet does not support a type of the
    /// schema.
    pub fn new(out: Box<dyn Write + 'a>, schema: &Schema) -> PolarsResult<Self> {
        ParquetWriter::new(out).batched(schema).map(Self)
    }

    /// Writes a table as one row group.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written, or if the schemas of the table and the file
    /// differ.
    pub fn write(&mut self, table: &DataFrame) -> PolarsResult<()> {
        self.0.write_batch(table)
    }

    /// Writes the footer, which completes the file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn finish(self) -> PolarsResult<()> {
        self.0.finish().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use polars::prelude::{Column, NamedFrom, ParquetReader, SerReader, Series};

    use super::*;

    fn table(values: &[i64]) -> DataFrame {
        DataFrame::new(values.len(), vec![Column::from(Series::new("value".into(), values))]).unwrap()
    }

    fn read(bytes: &[u8]) -> ParquetReader<Cursor<&[u8]>> {
        ParquetReader::new(Cursor::new(bytes))
    }

    #[test]
    fn a_file_has_one_row_group_per_table() {
        let mut bytes = Vec::new();
        let mut writer = TableWriter::new(Box::new(&mut bytes), table(&[]).schema()).unwrap();
        writer.write(&table(&[1, 2])).unwrap();
        writer.write(&table(&[3])).unwrap();
        writer.finish().unwrap();
        assert_eq!(read(&bytes).get_metadata().unwrap().row_groups.len(), 2);
        assert_eq!(read(&bytes).finish().unwrap(), table(&[1, 2, 3]));
    }

    #[test]
    fn a_table_survives_a_round_trip_through_parquet() {
        assert_eq!(read(&parquet_bytes(table(&[1, 2, 3])).unwrap()).finish().unwrap(), table(&[1, 2, 3]));
    }
}
