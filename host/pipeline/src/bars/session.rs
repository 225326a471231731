//! When a bar is: its session date, and its time as files of bars spell it.

use jiff::{Timestamp, tz::TimeZone};
use oculus_job::request::Timeframe;

use crate::date::iso_date;

const SECONDS_A_DAY: i64 = 86_400;

/// The column that says when a bar is, in files of bars as in those that are written.
pub fn time_column(timeframe: Timeframe) -> &'static str {
    if timeframe.is_intraday() { "timestamp" } else { "date" }
}

/// When a bar is, as its file says it: its date, or the UTC time at which an intraday bar starts.
///
/// * `time`: start of the bar, seconds since 1970-01-01 UTC.
pub fn moment(time: i64, timeframe: Timeframe) -> String {
    if timeframe.is_intraday() {
        return Timestamp::from_second(time).map_or_else(|_| time.to_string(), |time| time.to_string());
    }
    iso_date(session_day(time, &session_zone(timeframe)))
}

/// Whose midnight ends a session: daily bars carry their date as if it were UTC's.
pub(super) fn session_zone(timeframe: Timeframe) -> TimeZone {
    if !timeframe.is_intraday() {
        return TimeZone::UTC;
    }
    TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
}

fn session_day(time: i64, zone: &TimeZone) -> i32 {
    day_of(time + offset_s_at(time, zone))
}

/// Seconds that a zone's clocks are ahead of UTC.
pub(super) fn offset_s_at(time: i64, zone: &TimeZone) -> i64 {
    Timestamp::from_second(time).map_or(0, |timestamp| i64::from(zone.to_offset(timestamp).seconds()))
}

/// When a zone's clocks are changed next; never, if that is not known.
pub(super) fn next_change(time: i64, zone: &TimeZone) -> i64 {
    let change = Timestamp::from_second(time).ok().and_then(|timestamp| zone.following(timestamp).next());
    change.map_or(i64::MAX, |change| change.timestamp().as_second())
}

pub(super) fn day_of(local_time: i64) -> i32 {
    i32::try_from(local_time.div_euclid(SECONDS_A_DAY)).unwrap_or(i32::MAX)
}
