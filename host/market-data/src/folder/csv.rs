//! One CSV file as rows of numbers, each with the number of its line.
//!
//! In: a file. Out: rows, or an error that names line and field. Invariant: every number is finite.
//! Columns are found by name in any case and order, others are ignored. Times are dates
//! (`2024-01-02`) for daily and weekly bars, else ISO times in UTC or seconds or milliseconds since
//! 1970.

use std::fs::File;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, refused, time_column};
use polars::prelude::{Column, CsvReadOptions, DataFrame, SerReader, StringChunked};

use crate::time_column;

const PRICES: [&str; 5] = ["open", "high", "low", "close", "volume"];
const HINT: &str =
    "a bars file has a header and the columns date (or timestamp for intraday), open, high, low, close, volume";

/// Reads a file. The only check is that fields are times and finite numbers.
pub(super) fn read(path: &Path, timeframe: Timeframe) -> Result<Vec<Row>, Failure> {
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
    (0..table.height())
        .filter(|&idx| !is_empty(idx))
        .map(|idx| {
            let place = Place { file: &file, line: idx + 2 };
            let mut values = [0.0; PRICES.len()];
            for (value, (texts, name)) in values.iter_mut().zip(columns.iter().zip(PRICES)) {
                *value = place.number(name, texts.get(idx))?;
            }
            Ok(Row { line: place.line, time: place.time(time_name, times.get(idx))?, values })
        })
        .collect()
}

/// Reads all columns as texts, so that a wrong field can be quoted as it was written.
fn read_texts(path: &Path, file: &str) -> Result<DataFrame, Failure> {
    let handle = File::open(path).map_err(|error| {
        let message = format!("{} cannot be opened: {error}", path.display());
        Failure::failed(Phase::DataFetch, ErrorCode::UnreadableBars, message, "check the file's permissions")
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
            refused(ErrorCode::BadBars, format!("{file} is no CSV table: {first_line}"), HINT)
        })
}

fn column<'a>(table: &'a DataFrame, name: &str, file: &str) -> Result<&'a StringChunked, Failure> {
    let wanted = |found: &&Column| found.name().trim().eq_ignore_ascii_case(name);
    table.columns().iter().find(wanted).and_then(|found| found.str().ok()).ok_or_else(|| {
        let found: Vec<&str> = table.get_column_names().into_iter().take(20).map(|name| name.as_str()).collect();
        refused(ErrorCode::BadBars, format!("{file} has no column {name:?}, it has {}", found.join(", ")), HINT)
    })
}

/// Place of a field, for its error.
struct Place<'a> {
    file: &'a str,
    line: usize,
}

impl Place<'_> {
    fn number(&self, name: &str, text: Option<&str>) -> Result<f64, Failure> {
        let number = text.and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite());
        number.ok_or_else(|| self.wrong(name, text, "a finite number"))
    }

    fn time(&self, name: &str, text: Option<&str>) -> Result<i64, Failure> {
        let (parse, needed): (fn(&str) -> Option<i64>, _) = match name {
            "date" => (time_column::parse_date, time_column::NEEDED_DATE),
            _ => (time_column::parse_time, time_column::NEEDED_TIME),
        };
        text.map(str::trim).and_then(parse).ok_or_else(|| self.wrong(name, text, needed))
    }

    fn wrong(&self, name: &str, text: Option<&str>, needed: &str) -> Failure {
        let found = text
            .map_or_else(|| "nothing".to_owned(), |text| format!("{:?}", text.chars().take(40).collect::<String>()));
        refused(
            ErrorCode::BadBars,
            format!("{} line {}: {name} is {found}, needed {needed}", self.file, self.line),
            HINT,
        )
    }
}
