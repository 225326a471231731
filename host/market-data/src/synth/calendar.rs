//! The times of synthetic bars: weekdays from 2010-01-04 on, and intraday bars from 09:30 to 16:00
//! in New York.
//!
//! In: a timeframe and a number of bars. Out: times. Invariant: times are strictly increasing.

use jiff::tz::TimeZone;
use jiff::{Span, civil};
use oculus_job::request::Timeframe;

/// Date of the first bar, a Monday.
const FIRST_DATE: civil::Date = civil::Date::constant(2010, 1, 4);
/// Date of the first bar in days since 1970-01-01.
const FIRST_DAY: i64 = 14_613;
/// Maximum number of weekdays of a series. The last weekday is before the year 9999, in which the
/// calendar ends.
const MAX_DAYS: usize = 2_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const SESSION_SECONDS: i64 = 23_400;

/// Returns the maximum number of bars of a series. More bars would exceed the calendar.
pub fn max_bars(timeframe: Timeframe) -> usize {
    match timeframe {
        Timeframe::Day1 => MAX_DAYS,
        Timeframe::Week1 => MAX_DAYS / 5,
        intraday => MAX_DAYS.saturating_mul(bars_per_session(intraday)),
    }
}

/// Returns the start of each bar in seconds since 1970-01-01 UTC. Daily and weekly bars are at
/// midnight UTC of their date.
pub(super) fn times(timeframe: Timeframe, n_bars: usize) -> Vec<i64> {
    let n_bars = n_bars.min(max_bars(timeframe));
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

/// Returns the number of bars per session. The last bar is shorter if the session is not a multiple
/// of a bar's length.
fn bars_per_session(timeframe: Timeframe) -> usize {
    (SESSION_SECONDS as usize).div_ceil(timeframe.seconds() as usize)
}

/// Returns the number of calendar days from the first date to the weekday with the given index.
fn days_on(weekday: usize) -> i64 {
    (weekday / 5 * 7 + weekday % 5) as i64
}

/// Returns the time at which a session opens. The fallback for dates outside the calendar is never
/// used, because [`MAX_DAYS`] excludes such dates.
fn opening(days_on: i64, zone: &TimeZone) -> i64 {
    let date = Span::new().try_days(days_on).and_then(|span| FIRST_DATE.checked_add(span));
    let open = date.and_then(|date| zone.to_timestamp(date.at(9, 30, 0, 0)));
    open.map_or(SECONDS_PER_DAY * (FIRST_DAY + days_on), |open| open.as_second())
}
