//! Reads and writes Parquet files of bars. The writer has a fixed schema; the reader accepts other
//! schemas as well.
//!
//! In: a file of any origin. Out: rows of numbers with their positions in the file, or an error
//! that names the problem. Invariant: for any input, the process does not panic, and the memory
//! that it allocates is proportional to the file's size.

mod catch_panic;
mod failure;
mod metadata;
mod pages;
#[cfg(test)]
mod tests;
mod time_values;

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused};
use polars::prelude::{
    Column, DataFrame, DataType, KeyValueMetadata, NamedFrom, ParallelStrategy, ParquetReader, ParquetWriter,
    PolarsError, PolarsResult, SerReader, Series,
};

use self::catch_panic::catch_panic;
use self::failure::{HINT, contradiction, damaged};
use self::metadata::check_metadata;
use self::time_values::TimeValues;
use crate::columns::{BarColumns, NUMBERS};
use crate::table_writer::Destination;

const ROWS_PER_GROUP: usize = 1 << 17;

/// Encodes rows as a Parquet file with a fixed schema: `timestamp` (Int64, seconds since 1970-01-01
/// UTC), then `open`, `high`, `low`, `close` and `volume` (Float64).
///
/// * `metadata`: pairs of a name and a text to store in the file. [`key_value_metadata`] returns
///   them.
///
/// # Errors
/// Returns the error of the Parquet encoder.
pub fn to_bytes(rows: &[Row], metadata: Vec<(String, String)>) -> PolarsResult<Vec<u8>> {
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let mut columns = vec![Column::from(Series::new("timestamp".into(), times))];
    for (idx, name) in NUMBERS.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row.values[idx]).collect();
        columns.push(Column::from(Series::new((*name).into(), values)));
    }
    let mut bytes = Vec::new();
    ParquetWriter::new(Box::new(&mut bytes) as Destination<'_>)
        .with_row_group_size(Some(ROWS_PER_GROUP))
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(metadata)))
        .finish(&mut DataFrame::new(rows.len(), columns)?)?;
    Ok(bytes)
}

/// Returns the key-value metadata of a file.
///
/// * `file`: name of the file, for error messages.
///
/// # Errors
/// Returns `bad_bars` if the bytes are not a Parquet file.
pub fn key_value_metadata(bytes: &[u8], file: &str) -> Result<HashMap<String, String>, JobError> {
    let read = || {
        let pairs = ParquetReader::new(Cursor::new(bytes)).get_metadata()?.key_value_metadata().clone();
        Ok(pairs.into_iter().flatten().filter_map(|pair| Some((pair.key, pair.value?))).collect())
    };
    let read = catch_panic(read).ok_or_else(|| contradiction(file))?;
    read.map_err(|error: PolarsError| damaged(file, &error.to_string()))
}

/// Reads a file of bars. Columns are matched by the same names as in CSV; other columns are not
/// read.
///
/// Times have the type Date (daily and weekly bars) or Datetime. They can also be whole numbers or
/// texts as in CSV.
///
/// # Errors
/// Returns `unreadable_bars` (retryable) if the file cannot be opened, and `bad_bars` if it is not
/// a table of bars.
pub fn read(path: &Path, timeframe: Timeframe) -> Result<Vec<Row>, JobError> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("{} cannot be opened: {error}", path.display());
        JobError::failed(Phase::DataFetch, ErrorCode::UnreadableBars, message, "check the file's permissions")
            .retryable()
    })?;
    from_bytes(&bytes, &file, timeframe)
}

/// Decodes the bytes of a file of bars by the same rules as [`read`].
///
/// * `file`: name of the file, for error messages.
///
/// # Errors
/// Returns `bad_bars` if the bytes are not a table of bars.
pub fn from_bytes(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<Vec<Row>, JobError> {
    // The decoder of Polars panics on some damaged files.
    catch_panic(|| rows(bytes, file, timeframe)).unwrap_or_else(|| Err(contradiction(file)))
}

fn rows(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<Vec<Row>, JobError> {
    let (table, found) = needed_columns(bytes, file, timeframe)?;
    let times = TimeValues::new(table.columns()[found.time].as_materialized_series(), file, timeframe)?.all()?;
    let mut rows: Vec<Row> =
        (1..).zip(times).map(|(line, time)| Row { line, time, values: [0.0; NUMBERS.len()] }).collect();
    for (value_idx, (name, position)) in NUMBERS.into_iter().zip(found.numbers).enumerate() {
        let column = &table.columns()[position];
        let numbers = numbers(column).ok_or_else(|| {
            let dtype = column.dtype();
            refused(ErrorCode::BadBars, format!("{file}: {name} is of type {dtype}, expected numbers"), HINT)
        })?;
        let numbers = numbers.f64().map_err(|error| damaged(file, &error.to_string()))?;
        for (row, number) in rows.iter_mut().zip(numbers.iter()) {
            row.values[value_idx] = number.filter(|number| number.is_finite()).ok_or_else(|| {
                let found = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
                let line = row.line;
                refused(
                    ErrorCode::BadBars,
                    format!("{file} row {line}: {name} is {found}, expected a finite number"),
                    HINT,
                )
            })?;
        }
    }
    Ok(rows)
}

/// Casts a column of numbers to 64-bit floats. Returns `None` for a column of another type.
fn numbers(column: &Column) -> Option<Column> {
    let is_number = column.dtype().is_float() || column.dtype().is_integer();
    is_number.then(|| column.cast(&DataType::Float64).ok()).flatten()
}

/// Checks the metadata of a file, and decodes only the columns of bars. Returns the table with the
/// positions of its columns.
fn needed_columns(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<(DataFrame, BarColumns), JobError> {
    let not_a_table = |error: PolarsError| {
        let error = error.to_string();
        let first_line: String = error.lines().next().unwrap_or_default().chars().take(200).collect();
        refused(ErrorCode::BadBars, format!("{file} is not a readable Parquet table: {first_line}"), HINT)
    };
    // The columns are decoded on this thread, because only panics of this thread are caught.
    let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
    let schema = reader.schema().map_err(not_a_table)?;
    let names: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let BarColumns { time, numbers } = BarColumns::find(&names, timeframe, file, HINT)?;
    let projection: Vec<usize> = [time].into_iter().chain(numbers).collect();
    let needed: Vec<&str> = projection.iter().map(|&column| names[column]).collect();
    check_metadata(reader.get_metadata().map_err(not_a_table)?, &needed, bytes)
        .map_err(|error| damaged(file, &error.to_string()))?;
    let table = reader.with_projection(Some(projection)).set_rechunk(true).finish().map_err(not_a_table)?;
    // The decoder keeps the order of the file's columns, so their positions in the table are found
    // by name.
    let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
    let found = BarColumns::find(&names, timeframe, file, HINT)?;
    Ok((table, found))
}
