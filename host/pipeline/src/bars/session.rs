//! Converts times into dates, and formats the times of bars as in files of bars.

use jiff::Timestamp;
use oculus_job::request::Timeframe;

use crate::date::iso_date;

const SECONDS_PER_DAY: i64 = 86_400;

/// Returns the name of the time column in files of bars.
pub fn time_column(timeframe: Timeframe) -> &'static str {
    if timeframe.is_intraday() { "timestamp" } else { "date" }
}

/// Formats the time of a bar as in files of bars: the date of a daily or weekly bar, or the UTC
/// start time of an intraday bar.
///
/// * `time`: start of the bar, seconds since 1970-01-01 UTC.
pub fn format_bar_time(time: i64, timeframe: Timeframe) -> String {
    if timeframe.is_intraday() {
        return Timestamp::from_second(time).map_or_else(|_| time.to_string(), |time| time.to_string());
    }
    iso_date(day_of(time))
}

/// Returns the date of a time of a session's clock, days since 1970-01-01.
pub(super) fn day_of(local_time: i64) -> i32 {
    // Times before 1970 are negative: the Euclidean quotient rounds them down to their own day.
    i32::try_from(local_time.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)
}
