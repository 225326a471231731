//! Reads the time column of a Parquet file.
//!
//! In: a column of any type. Out: one time per row in seconds since 1970-01-01 UTC, or an error
//! that names the row. Invariant: texts, numbers and instants are read by the rules of
//! [`TimeReader`].

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::refused;
use polars::prelude::{DataType, Series, TimeUnit};

use super::failure::{HINT, damaged};
use crate::time_column::{TimeReader, zone};

const SECONDS_PER_DAY: i64 = 86_400;

/// The times of a column, one per row.
pub(super) struct TimeValues<'a> {
    name: &'a str,
    file: &'a str,
    format: TimeFormat,
    reader: TimeReader,
    column: Series,
}

/// The representation of times in a column.
enum TimeFormat {
    Days,
    /// Whole units since 1970: the number of units per second, and the zone of the column.
    Ticks(i64, TimeZone),
    /// Numbers of a unit that follows from their size.
    Numbers,
    Texts,
}

impl<'a> TimeValues<'a> {
    /// Creates a reader of a time column.
    ///
    /// # Errors
    /// Returns `bad_bars` if the type of the column cannot represent times, or if its zone is
    /// unknown.
    pub(super) fn new(column: &'a Series, file: &'a str, timeframe: Timeframe) -> Result<Self, JobError> {
        let name = column.name().as_str();
        let format = match column.dtype() {
            DataType::Date if !timeframe.is_intraday() => TimeFormat::Days,
            DataType::Datetime(unit, zone) => {
                let per_second = match unit {
                    TimeUnit::Milliseconds => 1_000,
                    TimeUnit::Microseconds => 1_000_000,
                    TimeUnit::Nanoseconds => 1_000_000_000,
                };
                TimeFormat::Ticks(per_second, column_zone(zone.as_ref().map(|zone| zone.as_str()), file)?)
            }
            DataType::Int64 | DataType::UInt64 | DataType::Int32 | DataType::UInt32 => TimeFormat::Numbers,
            DataType::String => TimeFormat::Texts,
            other => {
                let message =
                    format!("{file}: {name} is of type {other}, expected a date, a time, whole numbers or text");
                return Err(refused(ErrorCode::BadBars, message, HINT));
            }
        };
        let physical = match format {
            TimeFormat::Texts => column.clone(),
            _ => column
                .to_physical_repr()
                .cast(&DataType::Int64)
                .map_err(|error| damaged(file, &format!("{name}: {error}")))?,
        };
        Ok(Self { name, file, format, reader: TimeReader::new(timeframe), column: physical })
    }

    /// Returns the times of all rows in seconds since 1970-01-01 UTC. A daily bar is at midnight UTC
    /// of its date.
    ///
    /// # Errors
    /// Returns `bad_bars` if a value is not a time, or if the date of a daily bar is doubtful. The
    /// message names the row.
    pub(super) fn all(mut self) -> Result<Vec<i64>, JobError> {
        (0..self.column.len()).map(|idx| self.get(idx)).collect()
    }

    fn get(&mut self, idx: usize) -> Result<i64, JobError> {
        if let TimeFormat::Texts = self.format {
            let text = self.column.str().ok().and_then(|texts| texts.get(idx)).map(str::trim);
            let time = self.reader.text(text.unwrap_or_default());
            return time.map_err(|expected| self.wrong(idx, text.map(|text| format!("{text:?}")), &expected));
        }
        let number = self.column.i64().ok().and_then(|numbers| numbers.get(idx));
        let Some(number) = number else { return Err(self.wrong(idx, None, "a time")) };
        let time = match &self.format {
            TimeFormat::Days => self.reader.instant(number.saturating_mul(SECONDS_PER_DAY), &TimeZone::UTC),
            TimeFormat::Ticks(per_second, zone) => self.reader.instant(number.div_euclid(*per_second), zone),
            _ => self.reader.number(number),
        };
        time.map_err(|expected| self.wrong(idx, Some(self.shown(number)), &expected))
    }

    /// Formats a value for an error message.
    fn shown(&self, number: i64) -> String {
        let time = match &self.format {
            TimeFormat::Ticks(per_second, _) => Timestamp::from_second(number.div_euclid(*per_second)).ok(),
            _ => None,
        };
        time.map_or_else(|| number.to_string(), |time| time.to_string())
    }

    fn wrong(&self, idx: usize, found: Option<String>, expected: &str) -> JobError {
        let found: String = found.unwrap_or_else(|| "null".to_owned()).chars().take(40).collect();
        let Self { name, file, .. } = self;
        refused(ErrorCode::BadBars, format!("{file} row {}: {name} is {found}, expected {expected}", idx + 1), HINT)
    }
}

/// Returns the zone of a column, or UTC if the column has no zone.
///
/// # Errors
/// Returns `bad_bars` if the zone is unknown.
fn column_zone(name: Option<&str>, file: &str) -> Result<TimeZone, JobError> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    zone(name).ok_or_else(|| {
        let message = format!("{file}: found time zone {name:?}, expected a name of the tz database or an offset");
        refused(ErrorCode::BadBars, message, HINT)
    })
}
