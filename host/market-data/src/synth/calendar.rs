//! Times of synthetic bars: weekdays from 2010-01-04 on; intraday within New York's session, 09:30
//! to 16:00.
//!
//! In: a timeframe and a number of bars. Out: times. Invariant: times rise strictly.

use jiff::tz::TimeZone;
use jiff::{Span, civil};
use oculus_job::request::Timeframe;

/// A Monday.
const FIRST_DATE: civil::Date = civil::Date::constant(2010, 1, 4);
/// 2010-01-04 in days since 1970-01-01.
const FIRST_DAY: i64 = 14_613;
/// Weekdays until the calendar ends with the year 9999, with a margin.
const MOST_DAYS: usize = 2_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const SESSION_SECONDS: i64 = 23_400;

/// Returns the most bars that a series may have, so that each has a date.
pub fn most_bars(timeframe: Timeframe) -> usize {
    match timeframe {
        Timeframe::Day1 => MOST_DAYS,
        Timeframe::Week1 => MOST_DAYS / 5,
        intraday => MOST_DAYS.saturating_mul(bars_per_session(intraday)),
    }
}

/// Returns the start of each bar in seconds since 1970-01-01 UTC; daily and weekly bars carry their
/// date as if it were UTC's.
pub(super) fn times(timeframe: Timeframe, n_bars: usize) -> Vec<i64> {
    let n_bars = n_bars.min(most_bars(timeframe));
    match timeframe {
        Timeframe::Day1 => (0..n_bars).map(|bar| SECONDS_PER_DAY * (FIRST_DAY + days_on(bar))).collect(),
        Timeframe::Week1 => (0..n_bars).map(|bar| SECONDS_PER_DAY * (FIRST_DAY + 7 * bar as i64)).collect(),
        intraday => {
            let zone = TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC);
            let session = bars_per_session(intraday);
            let opens = (0..n_bars.div_ceil(session)).map(|day| opening(days_on(day), &zone));
            let times = opens.flat_map(|open| (0..session).map(move |bar| open + bar as i64 * intraday.seconds()));
            times.take(n_bars).collect()
        }
    }
}

/// Returns the number of bars per session; the end of the session may shorten the last one.
fn bars_per_session(timeframe: Timeframe) -> usize {
    (SESSION_SECONDS as usize).div_ceil(timeframe.seconds() as usize)
}

/// Returns the calendar days from the first day to the weekday of an index.
fn days_on(weekday: usize) -> i64 {
    (weekday / 5 * 7 + weekday % 5) as i64
}

/// Returns the time at which a session opens; it exists, since the year 9999 is not reached.
fn opening(days_on: i64, zone: &TimeZone) -> i64 {
    let date = Span::new().try_days(days_on).and_then(|span| FIRST_DATE.checked_add(span));
    let open = date.and_then(|date| zone.to_timestamp(date.at(9, 30, 0, 0)));
    open.map_or(SECONDS_PER_DAY * (FIRST_DAY + days_on), |open| open.as_second())
}
