//! Parquet files of bars: one writer with a fixed schema, and one reader, which accepts other
//! schemas as well.
//!
//! In: a file of any origin. Out: rows of numbers, each with its number in the file, or an error
//! that names the problem.
//! Invariant: no bytes make the process panic, nor reserve memory out of proportion to the file.

mod catch_panic;
mod metadata;
mod pages;
mod refusal;
#[cfg(test)]
mod tests;
mod time_values;

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused, time_column};
use polars::prelude::{
    Column, DataFrame, DataType, KeyValueMetadata, NamedFrom, ParallelStrategy, ParquetReader, ParquetWriter,
    PolarsError, PolarsResult, SerReader, Series,
};

use self::catch_panic::catch_panic;
use self::metadata::check_metadata;
use self::refusal::{HINT, contradiction, damaged};
use self::time_values::TimeValues;
use crate::table_writer::Destination;

/// The columns of numbers, in the order of [`Row::values`].
const NUMBERS: [&str; 5] = ["open", "high", "low", "close", "volume"];
/// Names of the column of times.
const TIMES: [&str; 2] = ["date", "timestamp"];
const ROWS_PER_GROUP: usize = 1 << 17;

/// Returns rows as the bytes of a file with a fixed schema: `timestamp` (Int64, seconds since 1970
/// UTC), then five Float64.
///
/// * `notes`: names and texts that [`notes`] returns again.
///
/// # Errors
/// The writer's own.
pub fn to_bytes(rows: &[Row], notes: Vec<(String, String)>) -> PolarsResult<Vec<u8>> {
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let mut columns = vec![Column::from(Series::new("timestamp".into(), times))];
    for (idx, name) in NUMBERS.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row.values[idx]).collect();
        columns.push(Column::from(Series::new((*name).into(), values)));
    }
    let mut bytes = Vec::new();
    ParquetWriter::new(Box::new(&mut bytes) as Destination<'_>)
        .with_row_group_size(Some(ROWS_PER_GROUP))
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(notes)))
        .finish(&mut DataFrame::new(rows.len(), columns)?)?;
    Ok(bytes)
}

/// Returns the notes of a file by name.
///
/// # Errors
/// `bad_bars` for a file that is not Parquet.
pub fn notes(bytes: &[u8], file: &str) -> Result<HashMap<String, String>, Failure> {
    let read = || {
        let pairs = ParquetReader::new(Cursor::new(bytes)).get_metadata()?.key_value_metadata().clone();
        Ok(pairs.into_iter().flatten().filter_map(|pair| Some((pair.key, pair.value?))).collect())
    };
    let read = catch_panic(read).ok_or_else(|| contradiction(file))?;
    read.map_err(|error: PolarsError| damaged(file, &error.to_string()))
}

/// Reads a file of bars: columns by name in any case and order, the needed ones alone.
///
/// Times are a Date (daily and weekly bars), a Datetime, seconds or milliseconds since 1970, or texts as in CSV.
///
/// # Errors
/// `unreadable_bars` (retryable) if the file cannot be opened, `bad_bars` if it is not a table of
/// bars.
pub fn read(path: &Path, timeframe: Timeframe) -> Result<Vec<Row>, Failure> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("{} cannot be opened: {error}", path.display());
        Failure::failed(Phase::DataFetch, ErrorCode::UnreadableBars, message, "check the file's permissions")
            .retryable()
    })?;
    from_bytes(&bytes, &file, timeframe)
}

/// Reads the bytes of a file of bars, like [`read`].
///
/// * `file`: name of the file, for messages.
///
/// # Errors
/// `bad_bars` if the bytes are not a table of bars.
pub fn from_bytes(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<Vec<Row>, Failure> {
    catch_panic(|| rows(bytes, file, timeframe)).unwrap_or_else(|| Err(contradiction(file)))
}

fn rows(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<Vec<Row>, Failure> {
    let table = needed_columns(bytes, file, timeframe)?;
    let time =
        table.columns().iter().find(|column| is_any(column.name(), &TIMES)).ok_or_else(|| damaged(file, "no time"))?;
    let times = TimeValues::new(time.as_materialized_series(), file, timeframe)?;
    let mut rows: Vec<Row> = Vec::with_capacity(table.height());
    for idx in 0..table.height() {
        rows.push(Row { line: idx + 1, time: times.get(idx)?, values: [0.0; NUMBERS.len()] });
    }
    for (value_idx, name) in NUMBERS.iter().enumerate() {
        let column = table.columns().iter().find(|column| is_any(column.name(), &[name]));
        let numbers = column.and_then(numbers).ok_or_else(|| {
            let dtype = column.map_or_else(|| "nothing".to_owned(), |column| column.dtype().to_string());
            refused(ErrorCode::BadBars, format!("{file}: {name} is of type {dtype}, needed numbers"), HINT)
        })?;
        let numbers = numbers.f64().map_err(|error| damaged(file, &error.to_string()))?;
        for (row, number) in rows.iter_mut().zip(numbers.iter()) {
            row.values[value_idx] = number.filter(|number| number.is_finite()).ok_or_else(|| {
                let found = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
                let line = row.line;
                refused(
                    ErrorCode::BadBars,
                    format!("{file} row {line}: {name} is {found}, needed a finite number"),
                    HINT,
                )
            })?;
        }
    }
    Ok(rows)
}

/// Returns a column of numbers as 64-bit floats; `None` for any other column.
fn numbers(column: &Column) -> Option<Column> {
    let is_number = column.dtype().is_float() || column.dtype().is_integer();
    is_number.then(|| column.cast(&DataType::Float64).ok()).flatten()
}

/// Reads the columns of bars, and no other, after a check of the file's metadata.
fn needed_columns(bytes: &[u8], file: &str, timeframe: Timeframe) -> Result<DataFrame, Failure> {
    let no_table = |error: PolarsError| {
        let error = error.to_string();
        let first_line: String = error.lines().next().unwrap_or_default().chars().take(200).collect();
        refused(ErrorCode::BadBars, format!("{file} is no Parquet table that can be read: {first_line}"), HINT)
    };
    // On this thread, whose panics are caught.
    let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
    let schema = reader.schema().map_err(no_table)?;
    let names: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let position = |wanted: &str| names.iter().position(|name| is_any(name, &[wanted]));
    let own_time = position(time_column(timeframe)).or_else(|| TIMES.iter().find_map(|name| position(name)));
    let missing = |name: &str| {
        let found = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
        refused(ErrorCode::BadBars, format!("{file} has no column {name:?}, it has {found}"), HINT)
    };
    let mut projection = vec![own_time.ok_or_else(|| missing(time_column(timeframe)))?];
    for name in NUMBERS {
        projection.push(position(name).ok_or_else(|| missing(name))?);
    }
    let needed: Vec<&str> = projection.iter().map(|&column| names[column]).collect();
    check_metadata(reader.get_metadata().map_err(no_table)?, &needed, bytes)
        .map_err(|error| damaged(file, &error.to_string()))?;
    reader.with_projection(Some(projection)).set_rechunk(true).finish().map_err(no_table)
}

fn is_any(name: &str, wanted: &[&str]) -> bool {
    wanted.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted))
}
