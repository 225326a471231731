//! Reads a CSV file as rows of numbers. Each row has its line number.
//!
//! In: a file. Out: rows, or an error that names the line and the field. Invariant: every number is
//! finite. [`BarColumns`] finds the columns, and [`TimeReader`] reads the times.

use std::fs::File;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused};
use polars::prelude::{CsvReadOptions, DataFrame, PolarsError, SerReader, StringChunked};

use crate::columns::{BarColumns, NUMBERS};
use crate::time_column::TimeReader;

const HINT: &str = "a bars file has a header and one column each of date (or timestamp for intraday), open, high, low, \
                    close, volume";

/// Reads a file. This function checks only that the fields are times and finite numbers. The
/// pipeline validates the bars.
///
/// # Errors
/// Returns `unreadable_bars` (retryable) if the file cannot be opened, and `bad_bars` if it is not
/// a table of bars.
pub(super) fn read(path: &Path, timeframe: Timeframe) -> Result<Vec<Row>, JobError> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let table = read_texts(path, &file)?;
    let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
    let found = BarColumns::find(&names, timeframe, &file, HINT)?;
    let texts = |position: usize| table.columns()[position].str().map_err(|error| not_a_table(&file, &error));
    let times = texts(found.time)?;
    let mut columns = Vec::with_capacity(NUMBERS.len());
    for (name, position) in NUMBERS.into_iter().zip(found.numbers) {
        columns.push((name, texts(position)?));
    }
    let is_blank = |texts: &StringChunked, idx: usize| texts.get(idx).is_none_or(|text| text.trim().is_empty());
    let is_empty = |idx: usize| is_blank(times, idx) && columns.iter().all(|(_, texts)| is_blank(texts, idx));
    let mut reader = TimeReader::new(timeframe);
    let time_name = names[found.time].trim();
    // Spreadsheets write empty lines, so a row without any field is skipped.
    (0..table.height())
        .filter(|&idx| !is_empty(idx))
        .map(|idx| {
            // The header is line 1.
            let place = Place { file: &file, line: idx + 2 };
            let mut values = [0.0; NUMBERS.len()];
            for (value, (name, texts)) in values.iter_mut().zip(&columns) {
                *value = place.number(name, texts.get(idx))?;
            }
            Ok(Row { line: place.line, time: place.time(&mut reader, time_name, times.get(idx))?, values })
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
        .map_err(|error| not_a_table(file, &error))
}

fn not_a_table(file: &str, error: &PolarsError) -> JobError {
    let error = error.to_string();
    let first_line = error.lines().next().unwrap_or_default();
    refused(ErrorCode::BadBars, format!("{file} is not a CSV table: {first_line}"), HINT)
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

    fn time(&self, reader: &mut TimeReader, name: &str, text: Option<&str>) -> Result<i64, JobError> {
        reader.text(text.unwrap_or_default().trim()).map_err(|expected| self.wrong(name, text, &expected))
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
