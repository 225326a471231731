//! The column of times of a bar file.
//!
//! In: texts and numbers of a file, or times of bars. Out: seconds since 1970-01-01 UTC, or a typed
//! column.
//! Invariant: every time that is read is within the calendar.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime, civil};
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::time_column;
use polars::prelude::{DataType, NamedFrom, PolarsResult, Series};

const SECONDS_PER_DAY: i64 = 86_400;
/// Numbers of this size and more are milliseconds: as seconds they would lie after the year 5100.
const LEAST_MILLISECONDS: u64 = 100_000_000_000;

/// The required form of a daily bar's text, for errors.
pub const NEEDED_DATE: &str = "a date such as 2024-01-02";
/// The required form of an intraday bar's text, for errors.
pub const NEEDED_TIME: &str = "a UTC time such as 2024-01-02T14:30:00Z, or seconds since 1970";

/// Parses a date; returns its midnight in UTC.
pub fn parse_date(text: &str) -> Option<i64> {
    let date = text.parse::<civil::Date>().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(|midnight| midnight.as_second())
}

/// Parses a time in UTC, with or without a zone, or a number in the form of [`from_number`].
pub fn parse_time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return from_number(number);
    }
    let zoned = text.parse::<Timestamp>().ok();
    let plain = || TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok();
    zoned.or_else(plain).map(|timestamp| timestamp.as_second())
}

/// Returns the time of a number of seconds or milliseconds since 1970.
pub fn from_number(number: i64) -> Option<i64> {
    let seconds = if number.unsigned_abs() >= LEAST_MILLISECONDS { number.div_euclid(1000) } else { number };
    within_calendar(seconds)
}

/// Returns a time if the calendar includes it.
pub fn within_calendar(seconds: i64) -> Option<i64> {
    Timestamp::from_second(seconds).ok().map(|timestamp| timestamp.as_second())
}

/// Returns the midnight in UTC of the date that begins at a time in one of these zones, which are
/// tried in their order.
pub fn from_midnight(seconds: i64, zones: &[TimeZone]) -> Option<i64> {
    let timestamp = Timestamp::from_second(seconds).ok()?;
    let locals = zones.iter().map(|zone| seconds + i64::from(zone.to_offset(timestamp).seconds()));
    locals.into_iter().find(|local| local.rem_euclid(SECONDS_PER_DAY) == 0)
}

/// Returns a zone by its name in the tz database, or by its offset such as `+02:00`.
pub fn zone(name: &str) -> Option<TimeZone> {
    let zoned = format!("1970-01-02T00:00:00[{name}]").parse::<ZonedDateTime>().ok()?;
    Some(zoned.time_zone().clone())
}

/// Returns the times of bars as a column: dates, or whole seconds for intraday bars.
///
/// # Errors
/// The cast's own.
pub fn time_series(times: &[i64], timeframe: Timeframe) -> PolarsResult<Series> {
    let name = time_column(timeframe).into();
    if timeframe.is_intraday() {
        return Ok(Series::new(name, times));
    }
    let days: Vec<i32> =
        times.iter().map(|time| i32::try_from(time.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)).collect();
    Series::new(name, days).cast(&DataType::Date)
}
