//! Reads the time column of a Parquet file.
//!
//! In: a column of any type. Out: one time per row in seconds since 1970-01-01 UTC, or an error
//! that names the row. Invariant: a daily bar is at midnight UTC of its date.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::refused;
use polars::prelude::{DataType, Series, TimeUnit};

use super::failure::{HINT, damaged};
use crate::time_column;

const SECONDS_PER_DAY: i64 = 86_400;
const EXCHANGE_ZONE: &str = "America/New_York";

/// The times of a column, one per row.
pub(super) struct TimeValues<'a> {
    name: &'a str,
    file: &'a str,
    format: TimeFormat,
    /// Time zones in which a daily bar can be at midnight. `None` for intraday bars.
    midnight_zones: Option<Vec<TimeZone>>,
    column: Series,
}

/// The representation of times in a column.
#[derive(Clone, Copy)]
enum TimeFormat {
    Days,
    /// Whole units since 1970. The value is the number of units per second.
    Ticks(i64),
    /// Seconds or milliseconds since 1970.
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
        let mut zones = vec![TimeZone::UTC];
        let format = match column.dtype() {
            DataType::Date if !timeframe.is_intraday() => TimeFormat::Days,
            DataType::Datetime(unit, zone) => {
                zones = column_zone(zone.as_ref().map(|zone| zone.as_str()), file)?;
                TimeFormat::Ticks(match unit {
                    TimeUnit::Milliseconds => 1_000,
                    TimeUnit::Microseconds => 1_000_000,
                    TimeUnit::Nanoseconds => 1_000_000_000,
                })
            }
            DataType::Int64 | DataType::Int32 | DataType::UInt32 => TimeFormat::Numbers,
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
        // Libraries often set the time of a US exchange's daily bar to midnight in New York.
        zones.extend(time_column::zone(EXCHANGE_ZONE));
        let midnight_zones = (!timeframe.is_intraday()).then_some(zones);
        Ok(Self { name, file, format, midnight_zones, column: physical })
    }

    /// Returns the time of a row in seconds since 1970-01-01 UTC. A daily bar is at midnight UTC of
    /// its date.
    ///
    /// # Errors
    /// Returns `bad_bars` if the value is not a time, or if a daily bar is not at midnight. The
    /// message names the row.
    pub(super) fn get(&self, idx: usize) -> Result<i64, JobError> {
        if let TimeFormat::Texts = self.format {
            let text = self.column.str().ok().and_then(|texts| texts.get(idx));
            let parse = if self.midnight_zones.is_some() { time_column::parse_date } else { time_column::parse_time };
            let expected =
                if self.midnight_zones.is_some() { time_column::NEEDED_DATE } else { time_column::NEEDED_TIME };
            let parsed = text.map(str::trim).and_then(parse);
            return parsed.ok_or_else(|| self.wrong(idx, text.map(|text| format!("{text:?}")), expected));
        }
        let number = self.column.i64().ok().and_then(|numbers| numbers.get(idx));
        let seconds = number.and_then(|number| match self.format {
            TimeFormat::Days => number.checked_mul(SECONDS_PER_DAY).and_then(time_column::within_calendar),
            TimeFormat::Ticks(per_second) => time_column::within_calendar(number.div_euclid(per_second)),
            _ => time_column::from_number(number),
        });
        let found = || number.map(|number| number.to_string());
        let seconds = seconds.ok_or_else(|| self.wrong(idx, found(), "a time from year -9999 to 9999"))?;
        let Some(zones) = &self.midnight_zones else { return Ok(seconds) };
        let found = || Timestamp::from_second(seconds).map(|time| time.to_string()).ok();
        time_column::from_midnight(seconds, zones)
            .ok_or_else(|| self.wrong(idx, found(), "a date: midnight in UTC or in New York"))
    }

    fn wrong(&self, idx: usize, found: Option<String>, expected: &str) -> JobError {
        let found: String = found.unwrap_or_else(|| "null".to_owned()).chars().take(40).collect();
        let Self { name, file, .. } = self;
        refused(ErrorCode::BadBars, format!("{file} row {}: {name} is {found}, expected {expected}", idx + 1), HINT)
    }
}

/// Returns a list with the zone of a column, or with UTC if the column has no zone.
///
/// # Errors
/// Returns `bad_bars` if the zone is unknown.
fn column_zone(name: Option<&str>, file: &str) -> Result<Vec<TimeZone>, JobError> {
    let Some(name) = name else { return Ok(vec![TimeZone::UTC]) };
    let zone = time_column::zone(name);
    let unknown = || {
        refused(
            ErrorCode::BadBars,
            format!("{file}: found time zone {name:?}, expected a name of the tz database or an offset"),
            HINT,
        )
    };
    zone.map(|zone| vec![zone]).ok_or_else(unknown)
}
