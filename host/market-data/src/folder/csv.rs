//! Reads a CSV file as rows of numbers. Each row has its line number.
//!
//! In: a file. Out: rows, or an error that names the line and the field. Invariant: every number is
//! finite. Columns are matched by name, regardless of upper or lower case and of their order; other
//! columns are ignored. Times are dates (`2024-01-02`) for daily and weekly bars. For intraday
//! bars, times are ISO times in UTC, or numbers of seconds or milliseconds since 1970.

use std::fs::File;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused, time_column};
use polars::prelude::{Column, CsvReadOptions, DataFrame, SerReader, StringChunked};

use crate::time_column;

const PRICES: [&str; 5] = ["open", "high", "low", "close", "volume"];
const HINT: &str =
    "a bars file has a header and the columns date (or timestamp for intraday), open, high, low, close, volume";

/// Reads a file. This function checks only that the fields are times and finite numbers. The
/// pipeline validates the bars.
///
/// # Errors
/// Returns `unreadable_bars` (retryable) if the file cannot be opened, and `bad_bars` if it is not
/// a table of bars.
pub(super) fn read(path: &Path, timeframe: Timeframe) -> Result<Vec<Row>, JobError> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let table = read_texts(path, &file)?;
    let time_name = time_column(timeframe);
    let times = column(&table, time_name, &file)?;
    let mut columns = Vec::with_capacity(PRICES.len());
    for name in PRICES {
        columns.push(column(&table, name, &file)?);
    }
    let is_blank = |texts: &StringChunked, idx: usize| texts.get(idx).is_none_or(|text| text.trim().is_empty());
    let is_empty = |idx: usize| is_blank(times, idx) && columns.iter().all(|texts| is_blank(texts, idx));
    // Spreadsheets write empty lines, so a row without any field is skipped.
    (0..table.height())
        .filter(|&idx| !is_empty(idx))
        .map(|idx| {
            // The header is line 1.
            let place = Place { file: &file, line: idx + 2 };
            let mut values = [0.0; PRICES.len()];
            for (value, (texts, name)) in values.iter_mut().zip(columns.iter().zip(PRICES)) {
                *value = place.number(name, texts.get(idx))?;
            }
            Ok(Row { line: place.line, time: place.time(time_name, times.get(idx))?, values })
        })
        .collect()
}

/// Reads all columns as strings, so that an error message can quote an invalid field.
fn read_texts(path: &Path, file: &str) -> Result<DataFrame, JobError> {
    let handle = File::open(path).map_err(|error| {
        let message = format!("{} cannot be opened: {error}", path.display());
        JobError::failed(Phase::DataFetch, ErrorCode::UnreadableBars, message, "check the file's permissions")
            .retryable()
    })?;
    CsvReadOptions::default()
        .with_has_header(true)
        .with_rechunk(true)
        .with_infer_schema_length(Some(0))
        .into_reader_with_file_handle(handle)
        .finish()
        .map_err(|error| {
            let error = error.to_string();
            let first_line = error.lines().next().unwrap_or_default();
            refused(ErrorCode::BadBars, format!("{file} is not a CSV table: {first_line}"), HINT)
        })
}

/// Returns the column with the given name.
///
/// # Errors
/// Returns `bad_bars` if the column is missing. The message lists the columns of the file.
fn column<'a>(table: &'a DataFrame, name: &str, file: &str) -> Result<&'a StringChunked, JobError> {
    let has_name = |found: &&Column| found.name().trim().eq_ignore_ascii_case(name);
    table.columns().iter().find(has_name).and_then(|found| found.str().ok()).ok_or_else(|| {
        let found: Vec<&str> = table.get_column_names().into_iter().take(20).map(|name| name.as_str()).collect();
        refused(ErrorCode::BadBars, format!("{file} has no column {name:?}, it has {}", found.join(", ")), HINT)
    })
}

/// The position of a field, for error messages.
struct Place<'a> {
    file: &'a str,
    line: usize,
}

impl Place<'_> {
    fn number(&self, name: &str, text: Option<&str>) -> Result<f64, JobError> {
        let number = text.and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite());
        number.ok_or_else(|| self.wrong(name, text, "a finite number"))
    }

    fn time(&self, name: &str, text: Option<&str>) -> Result<i64, JobError> {
        let (parse, expected): (fn(&str) -> Option<i64>, _) = match name {
            "date" => (time_column::parse_date, time_column::NEEDED_DATE),
            _ => (time_column::parse_time, time_column::NEEDED_TIME),
        };
        text.map(str::trim).and_then(parse).ok_or_else(|| self.wrong(name, text, expected))
    }

    fn wrong(&self, name: &str, text: Option<&str>, expected: &str) -> JobError {
        let found = text
            .map_or_else(|| "nothing".to_owned(), |text| format!("{:?}", text.chars().take(40).collect::<String>()));
        refused(
            ErrorCode::BadBars,
            format!("{} line {}: {name} is {found}, expected {expected}", self.file, self.line),
            HINT,
        )
    }
}
