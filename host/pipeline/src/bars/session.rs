//! Converts the times of bars into session dates, and formats the times as in files of bars.

use jiff::{Timestamp, tz::TimeZone};
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
    iso_date(session_day(time, &session_zone(timeframe)))
}

/// Returns the time zone whose midnight separates sessions. Daily and weekly bars store their date
/// as midnight UTC.
pub(super) fn session_zone(timeframe: Timeframe) -> TimeZone {
    if !timeframe.is_intraday() {
        return TimeZone::UTC;
    }
    // Extended sessions in New York go past midnight UTC, so UTC would split them.
    TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
}

fn session_day(time: i64, zone: &TimeZone) -> i32 {
    day_of(time + offset_s_at(time, zone))
}

/// Returns the offset of a zone from UTC at a time, in seconds.
pub(super) fn offset_s_at(time: i64, zone: &TimeZone) -> i64 {
    Timestamp::from_second(time).map_or(0, |timestamp| i64::from(zone.to_offset(timestamp).seconds()))
}

/// Returns the time of the next change of a zone's offset, or `i64::MAX` if none is known.
pub(super) fn next_change(time: i64, zone: &TimeZone) -> i64 {
    let change = Timestamp::from_second(time).ok().and_then(|timestamp| zone.following(timestamp).next());
    change.map_or(i64::MAX, |change| change.timestamp().as_second())
}

pub(super) fn day_of(local_time: i64) -> i32 {
    // Times before 1970 are negative: the Euclidean quotient rounds them down to their own day.
    i32::try_from(local_time.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)
}
