//! Parses and writes the time column of bar files.
//!
//! In: texts and numbers of a file, or times of bars. Out: seconds since 1970-01-01 UTC, or a typed
//! column. Invariant: every parsed time is within the calendar.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime, civil};
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::time_column;
use polars::prelude::{DataType, NamedFrom, PolarsResult, Series};

const SECONDS_PER_DAY: i64 = 86_400;
/// Smallest number that is treated as milliseconds. As a number of seconds, it would be a time
/// after the year 5100.
const MIN_MILLISECONDS: u64 = 100_000_000_000;

/// Description of a valid text for a daily bar's time, for error messages.
pub const NEEDED_DATE: &str = "a date such as 2024-01-02";
/// Description of a valid text for an intraday bar's time, for error messages.
pub const NEEDED_TIME: &str = "a UTC time such as 2024-01-02T14:30:00Z, or seconds since 1970";

/// Parses a date and returns its midnight in UTC, in seconds since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i64> {
    let date = text.parse::<civil::Date>().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(|midnight| midnight.as_second())
}

/// Parses a time. A text without a zone is read as UTC. A number is converted by [`from_number`].
pub fn parse_time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return from_number(number);
    }
    let zoned = text.parse::<Timestamp>().ok();
    let plain = || TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok();
    zoned.or_else(plain).map(|timestamp| timestamp.as_second())
}

/// Converts a number of seconds or milliseconds since 1970 to seconds.
pub fn from_number(number: i64) -> Option<i64> {
    let seconds = if number.unsigned_abs() >= MIN_MILLISECONDS { number.div_euclid(1000) } else { number };
    within_calendar(seconds)
}

/// Returns the time if it is within the calendar, otherwise `None`.
pub fn within_calendar(seconds: i64) -> Option<i64> {
    Timestamp::from_second(seconds).ok().map(|timestamp| timestamp.as_second())
}

/// Returns the midnight in UTC of the date that begins at the given time. The time must be midnight
/// in one of the zones, which are tried in order.
pub fn from_midnight(seconds: i64, zones: &[TimeZone]) -> Option<i64> {
    let timestamp = Timestamp::from_second(seconds).ok()?;
    let locals = zones.iter().map(|zone| seconds + i64::from(zone.to_offset(timestamp).seconds()));
    locals.into_iter().find(|local| local.rem_euclid(SECONDS_PER_DAY) == 0)
}

/// Returns the time zone for a name in the tz database, or for an offset such as `+02:00`.
pub fn zone(name: &str) -> Option<TimeZone> {
    // The parser of zoned times accepts both names and offsets. The date is arbitrary.
    let zoned = format!("1970-01-02T00:00:00[{name}]").parse::<ZonedDateTime>().ok()?;
    Some(zoned.time_zone().clone())
}

/// Converts the times of bars to a column of dates, or of whole seconds for intraday bars.
///
/// # Errors
/// Returns an error of Polars if the cast to dates fails.
pub fn time_series(times: &[i64], timeframe: Timeframe) -> PolarsResult<Series> {
    let name = time_column(timeframe).into();
    if timeframe.is_intraday() {
        return Ok(Series::new(name, times));
    }
    let days: Vec<i32> =
        times.iter().map(|time| i32::try_from(time.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)).collect();
    Series::new(name, days).cast(&DataType::Date)
}
