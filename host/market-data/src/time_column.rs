//! Reads and writes the time column of bar files, with the same rules for every file format.
//!
//! In: texts, numbers and instants of a file, or times of bars. Out: seconds since 1970-01-01 UTC,
//! or a typed column. Invariant: a time is read exactly or it is an error; no part of a text is
//! ignored. A daily bar has the midnight in UTC of its date.

mod numbers;
mod texts;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::time_column;
use polars::prelude::{DataType, NamedFrom, PolarsResult, Series};

use self::numbers::NumberReader;

const SECONDS_PER_DAY: i64 = 86_400;
/// Zone of the US exchanges. Libraries often set the time of their daily bars to midnight there.
const US_EXCHANGE_ZONE: &str = "America/New_York";

/// A time of a file before it becomes the time of a bar.
#[derive(Clone, Debug, PartialEq)]
enum ParsedTime {
    /// A date without a time.
    Date(Date),
    /// A point in time in seconds since 1970-01-01 UTC, and the zone in which the file states it.
    Instant(i64, TimeZone),
}

impl ParsedTime {
    fn utc(seconds: i64) -> Self {
        Self::Instant(seconds, TimeZone::UTC)
    }
}

/// A reader of a time column, from its first row to its last.
#[derive(Clone, Debug)]
pub(crate) struct TimeReader {
    is_intraday: bool,
    numbers: NumberReader,
}

impl TimeReader {
    /// Creates a reader for bars of a timeframe.
    pub(crate) fn new(timeframe: Timeframe) -> Self {
        Self { is_intraday: timeframe.is_intraday(), numbers: NumberReader::new(timeframe) }
    }

    /// Reads a text: a date, a time, or a whole number.
    ///
    /// # Errors
    /// Returns the expected value.
    pub(crate) fn text(&mut self, text: &str) -> Result<i64, String> {
        match text.parse::<i64>() {
            Ok(number) => self.number(number),
            Err(_) => self.bar_time(texts::parse(text).map_err(|expected| match expected {
                Some(expected) => expected,
                None => self.expected_text().to_owned(),
            })?),
        }
    }

    /// Reads a whole number: seconds, milliseconds, microseconds or nanoseconds since 1970, or a
    /// date such as 20240102.
    ///
    /// # Errors
    /// Returns the expected value.
    pub(crate) fn number(&mut self, number: i64) -> Result<i64, String> {
        let parsed = self.numbers.read(number)?;
        self.bar_time(parsed)
    }

    /// Reads a point in time that a file states in a zone.
    ///
    /// # Errors
    /// Returns the expected value.
    pub(crate) fn instant(&self, seconds: i64, zone: &TimeZone) -> Result<i64, String> {
        let seconds = within_calendar(seconds).ok_or("a time from year -9999 to 9999")?;
        self.bar_time(ParsedTime::Instant(seconds, zone.clone()))
    }

    /// Converts a time to the start of an intraday bar, or to the midnight in UTC of a daily bar's
    /// date.
    fn bar_time(&self, parsed: ParsedTime) -> Result<i64, String> {
        match parsed {
            ParsedTime::Date(date) => Ok(midnight(date)),
            ParsedTime::Instant(seconds, _) if self.is_intraday => Ok(seconds),
            ParsedTime::Instant(seconds, zone) => session_date(seconds, &zone).ok_or_else(|| {
                "the date of a session, or its midnight in the exchange's zone such as 2024-01-02T00:00:00+01:00"
                    .to_owned()
            }),
        }
    }

    fn expected_text(&self) -> &'static str {
        match self.is_intraday {
            true => {
                "a time such as 2024-01-02T14:30:00Z or 2024-01-02T09:30:00-05:00, or a number of seconds since 1970"
            }
            false => "a date such as 2024-01-02",
        }
    }
}

/// Returns the midnight in UTC of the date that begins at a point in time.
///
/// The point must be midnight in its own zone, or in UTC or New York. In the latter case the date
/// must also be the date in its own zone. A point such as 23:00 UTC is rejected, because it is
/// midnight in a zone that the file does not name.
fn session_date(seconds: i64, zone: &TimeZone) -> Option<i64> {
    let local = |zone: &TimeZone| {
        let timestamp = Timestamp::from_second(seconds).ok()?;
        Some(seconds + i64::from(zone.to_offset(timestamp).seconds()))
    };
    let is_midnight = |local: &i64| local.rem_euclid(SECONDS_PER_DAY) == 0;
    let own = local(zone)?;
    let own_midnight = own - own.rem_euclid(SECONDS_PER_DAY);
    let others = || [Some(TimeZone::UTC), self::zone(US_EXCHANGE_ZONE)].into_iter().flatten();
    let is_session = is_midnight(&own)
        || others().filter_map(|zone| local(&zone)).any(|local| is_midnight(&local) && local == own_midnight);
    is_session.then_some(own_midnight)
}

/// Returns the midnight of a date in UTC, in seconds since 1970-01-01.
fn midnight(date: Date) -> i64 {
    // The supported dates and times have the same years, so the conversion always succeeds.
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_or(0, |midnight| midnight.as_second())
}

/// Returns the time if it is within the calendar, otherwise `None`.
pub(crate) fn within_calendar(seconds: i64) -> Option<i64> {
    Timestamp::from_second(seconds).ok().map(|timestamp| timestamp.as_second())
}

/// Returns the time zone for a name in the tz database, or for an offset such as `+02:00`.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
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
