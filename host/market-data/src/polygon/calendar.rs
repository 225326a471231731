//! Calendar days in New York time, which Polygon uses.
//!
//! In: times, and a time range. Out: [`Days`], both ends included. Invariant: the days that
//! [`Calendar::completed_days`] returns are over, so only a split changes their bars.

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::TimeRange;
use oculus_pipeline::date::{days_since_epoch, iso_date};

const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_YEAR: f64 = 365.25;
const SESSIONS_PER_YEAR: f64 = 252.0;
/// Length of the regular trading hours. If a series also has bars outside these hours, its sessions
/// have more bars. The estimated span is then longer than needed.
const SECONDS_PER_SESSION: f64 = 6.5 * 3_600.0;
/// Additional days, for holidays and trading halts.
const MARGIN_DAYS: f64 = 10.0;

/// A span of consecutive days, counted from 1970-01-01. Both ends are included, and a span is never
/// empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    /// The first day.
    pub first: i32,
    /// The last day.
    pub last: i32,
}

impl Days {
    /// Creates the span from `first` to `last`. Returns `None` if `last` is before `first`.
    pub fn new(first: i32, last: i32) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Returns the number of days.
    pub fn count(self) -> i64 {
        i64::from(self.last) - i64::from(self.first) + 1
    }

    /// Returns whether the two spans have a day in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Returns whether this span contains every day of `other`.
    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Returns the parts of this span that are in none of the others, oldest first.
    pub fn without(self, others: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut others: Vec<Self> = others.into_iter().collect();
        others.sort_unstable();
        let mut left = Vec::new();
        let mut first = self.first;
        for other in others {
            left.extend(Self::new(first, self.last.min(other.first.saturating_sub(1))));
            first = first.max(other.last.saturating_add(1));
        }
        left.extend(Self::new(first, self.last));
        left
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", iso_date(self.first), iso_date(self.last))
    }
}

/// The calendar of New York.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC) }
    }
}

impl Calendar {
    /// Returns the date in New York at a time in seconds since 1970-01-01 UTC.
    pub fn day(&self, time: i64) -> i32 {
        let offset = Timestamp::from_second(time).map_or(0, |time| i64::from(self.zone.to_offset(time).seconds()));
        day_of_utc(time + offset)
    }

    /// Returns the time at which a day begins in New York, in seconds since 1970-01-01 UTC.
    pub fn midnight(&self, day: i32) -> i64 {
        let as_utc = i64::from(day) * SECONDS_PER_DAY;
        // The UTC offset can be looked up only for a known time, and the time of midnight is not
        // known yet. Noon of the previous day has the same offset as midnight, because the clock
        // changes at 02:00.
        let before = Timestamp::from_second(as_utc - SECONDS_PER_DAY / 2);
        as_utc - before.map_or(0, |time| i64::from(self.zone.to_offset(time).seconds()))
    }

    /// Converts the start of a bar from Polygon to the form of
    /// [`oculus_pipeline::bars::Bars::time`]. In this form, daily and weekly bars are at midnight
    /// UTC of their date.
    ///
    /// * `start`: start of the bar in seconds since 1970-01-01 UTC. For a daily bar this is
    ///   midnight in New York, or midnight UTC for a currency.
    pub fn bar_time(&self, start: i64, timeframe: Timeframe) -> i64 {
        if timeframe.is_intraday() || start.rem_euclid(SECONDS_PER_DAY) == 0 {
            return start;
        }
        i64::from(self.day(start)) * SECONDS_PER_DAY
    }

    /// Returns the day of a bar. `time` has the form of [`Calendar::bar_time`].
    pub fn day_of_bar(&self, time: i64, timeframe: Timeframe) -> i32 {
        if timeframe.is_intraday() { self.day(time) } else { day_of_utc(time) }
    }

    /// Returns the range of bar times within `days`, in the form of [`Calendar::bar_time`].
    pub fn times(&self, days: Days, timeframe: Timeframe) -> Range<i64> {
        if timeframe.is_intraday() {
            return self.midnight(days.first)..self.midnight(days.last.saturating_add(1));
        }
        i64::from(days.first) * SECONDS_PER_DAY..(i64::from(days.last) + 1) * SECONDS_PER_DAY
    }

    /// Returns those days of a time range that have ended. For weekly bars, these days form whole
    /// weeks from Sunday to Saturday. Returns `None` if there is no such day.
    pub fn completed_days(&self, range: TimeRange, timeframe: Timeframe, now: Timestamp) -> Option<Days> {
        let today = self.day(now.as_second());
        let (first, last) = match range {
            TimeRange::Back { years, n_bars } => (first_of_month(today - days_back(years, n_bars, timeframe)), today),
            TimeRange::From(first) => (first, today),
            TimeRange::Between(first, last) => (first, last.min(today)),
        };
        // A bar of today is still forming and must not be cached.
        let last = last.min(today - 1);
        match timeframe {
            Timeframe::Week1 => Days::new(sunday_on_or_before(first), saturday_on_or_before(last)),
            _ => Days::new(first, last),
        }
    }
}

fn day_of_utc(time: i64) -> i32 {
    i32::try_from(time.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)
}

/// Returns an upper estimate of the number of calendar days in `years` years and in the `n_bars`
/// bars before them.
fn days_back(years: f64, n_bars: usize, timeframe: Timeframe) -> i32 {
    let for_bars = match timeframe {
        Timeframe::Week1 => 7.0 * n_bars as f64,
        _ => {
            let bars_per_session = (SECONDS_PER_SESSION / timeframe.seconds() as f64).max(1.0);
            (n_bars as f64 / bars_per_session).ceil() * DAYS_PER_YEAR / SESSIONS_PER_YEAR
        }
    };
    // `years` and `n_bars` may be huge. The bound keeps the result within the calendar.
    (years * DAYS_PER_YEAR + for_bars + MARGIN_DAYS).ceil().clamp(0.0, 500_000.0) as i32
}

/// Returns the first day of the month that contains a day. The earliest result is 1970-01-01. Jobs
/// on consecutive days then request the same first day, which is already in the cache.
fn first_of_month(day: i32) -> i32 {
    let date = iso_date(day.max(0)).parse::<Date>();
    date.map_or(day, |date| days_since_epoch(date.first_of_month()))
}

/// Returns the last Sunday on or before a day. Day 3 (1970-01-04) was a Sunday.
pub(super) fn sunday_on_or_before(day: i32) -> i32 {
    day - (day - 3).rem_euclid(7)
}

/// Returns the last Saturday on or before a day. Day 2 (1970-01-03) was a Saturday.
fn saturday_on_or_before(day: i32) -> i32 {
    day - (day - 2).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> i32 {
        days_since_epoch(date.parse().unwrap())
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_in_new_york_even_when_the_clock_changes() {
        let calendar = Calendar::default();
        for (date, midnight) in [
            ("2024-01-02", "2024-01-02T05:00:00Z"),
            ("2024-03-10", "2024-03-10T05:00:00Z"),
            ("2024-03-11", "2024-03-11T04:00:00Z"),
            ("2024-11-03", "2024-11-03T04:00:00Z"),
            ("2024-11-04", "2024-11-04T05:00:00Z"),
        ] {
            let midnight = at(midnight).as_second();
            assert_eq!(calendar.midnight(day(date)), midnight, "{date}");
            assert_eq!((calendar.day(midnight), calendar.day(midnight - 1)), (day(date), day(date) - 1), "{date}");
        }
    }

    #[test]
    fn a_daily_bar_is_at_midnight_utc_of_its_date() {
        let calendar = Calendar::default();
        let expected = at("2024-07-05T00:00:00Z").as_second();
        for start in ["2024-07-05T04:00:00Z", "2024-07-05T00:00:00Z"] {
            assert_eq!(calendar.bar_time(at(start).as_second(), Timeframe::Day1), expected, "{start}");
        }
        let intraday = at("2024-07-05T13:30:00Z").as_second();
        assert_eq!(calendar.bar_time(intraday, Timeframe::Minute5), intraday);
    }

    #[test]
    fn a_day_or_week_that_is_not_over_is_never_requested() {
        let calendar = Calendar::default();
        let last = |timeframe, now| {
            calendar.completed_days(TimeRange::From(day("2024-01-01")), timeframe, at(now)).unwrap().last
        };
        // The first time is on Wednesday in New York and on Thursday in UTC.
        assert_eq!(last(Timeframe::Day1, "2024-07-11T03:59:59Z"), day("2024-07-09"));
        assert_eq!(last(Timeframe::Minute1, "2024-07-11T04:00:00Z"), day("2024-07-10"));
        assert_eq!(last(Timeframe::Week1, "2024-07-11T12:00:00Z"), day("2024-07-06"));
        assert_eq!(last(Timeframe::Week1, "2024-07-14T12:00:00Z"), day("2024-07-13"), "the week is over on Sunday");
        let future = TimeRange::Between(day("2030-01-01"), day("2030-02-01"));
        assert_eq!(calendar.completed_days(future, Timeframe::Day1, at("2024-07-11T12:00:00Z")), None);
    }

    #[test]
    fn a_reach_back_begins_with_a_month_and_includes_the_years_and_the_bars_before_them() {
        let calendar = Calendar::default();
        let now = at("2024-07-10T12:00:00Z");
        for (timeframe, n_bars, expected) in [
            // The time before 2024-07-10 is the sum of 730.5 days, 350 sessions of 1.449 days, and
            // 10 days. The start is then moved back to the first day of its month.
            (Timeframe::Day1, 350, "2021-02-01"),
            // 350 bars of 5 minutes are five sessions.
            (Timeframe::Minute5, 350, "2022-06-01"),
            // 350 weekly bars are 350 weeks. The start is moved back to a Sunday.
            (Timeframe::Week1, 350, "2015-09-27"),
        ] {
            let days = calendar.completed_days(TimeRange::Back { years: 2.0, n_bars }, timeframe, now).unwrap();
            assert_eq!(iso_date(days.first), expected, "{timeframe:?}");
        }
        let everything = TimeRange::Back { years: f64::MAX, n_bars: usize::MAX };
        assert_eq!(calendar.completed_days(everything, Timeframe::Day1, now).unwrap().first, 0);
    }

    #[test]
    fn days_without_other_spans_are_the_remaining_parts() {
        let days = |first, last| Days::new(first, last).unwrap();
        let all = days(10, 20);
        assert_eq!(all.without([]), [all]);
        assert_eq!(all.without([days(0, 30)]), []);
        assert_eq!(all.without([days(14, 16), days(5, 11)]), [days(12, 13), days(17, 20)]);
        assert_eq!(all.without([days(12, 18), days(13, 14), days(20, 20)]), [days(10, 11), days(19, 19)]);
        assert_eq!(all.without([days(i32::MIN, 9), days(21, i32::MAX)]), [all]);
        assert_eq!(Days::new(2, 1), None);
    }
}
