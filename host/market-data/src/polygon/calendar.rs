//! Days as Polygon counts them: by New York's clock.
//!
//! In: times, and a reach into the past. Out: [`Days`], ends included. Invariant: all of these days
//! have ended, so bars that were fetched of them change only by a split.

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::Reach;
use oculus_pipeline::date::{days_since_epoch, iso_date};

const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_YEAR: f64 = 365.25;
const SESSIONS_PER_YEAR: f64 = 252.0;
/// Regular trading hours; with bars outside of them, more bars are fetched than needed.
const SECONDS_PER_SESSION: f64 = 6.5 * 3_600.0;
/// Margin for holidays and halts.
const MARGIN_DAYS: f64 = 10.0;

/// Consecutive days since 1970-01-01, ends included; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    /// The first day.
    pub first: i32,
    /// The last day.
    pub last: i32,
}

impl Days {
    /// Creates the days from `first` to `last`; `None` if the last is before the first.
    pub fn new(first: i32, last: i32) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Returns the number of days.
    pub fn count(self) -> i64 {
        i64::from(self.last) - i64::from(self.first) + 1
    }

    /// Returns whether any day is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Returns whether every day of `other` is in these.
    pub fn hold(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Returns the days that are in none of the others, oldest first.
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

/// New York's calendar.
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
    /// Returns New York's date at a time in seconds since 1970-01-01 UTC.
    pub fn day(&self, time: i64) -> i32 {
        let offset = Timestamp::from_second(time).map_or(0, |time| i64::from(self.zone.to_offset(time).seconds()));
        day_of_utc(time + offset)
    }

    /// Returns the time at which a day begins in New York, in seconds since 1970-01-01 UTC.
    pub fn midnight(&self, day: i32) -> i64 {
        let as_utc = i64::from(day) * SECONDS_PER_DAY;
        // The clock changes at two in the morning: noon of the day before has the same offset as
        // this midnight.
        let before = Timestamp::from_second(as_utc - SECONDS_PER_DAY / 2);
        as_utc - before.map_or(0, |time| i64::from(self.zone.to_offset(time).seconds()))
    }

    /// Returns the time of a bar in the form of [`oculus_pipeline::bars::Bars::time`]: daily and
    /// weekly bars are at midnight UTC of their date.
    ///
    /// * `start`: Polygon's start of the bar: New York's midnight for a daily bar, UTC's for one of
    ///   a currency.
    pub fn bar_time(&self, start: i64, timeframe: Timeframe) -> i64 {
        if timeframe.is_intraday() || start.rem_euclid(SECONDS_PER_DAY) == 0 {
            return start;
        }
        i64::from(self.day(start)) * SECONDS_PER_DAY
    }

    /// Returns the day of a bar, given the time that [`Calendar::bar_time`] returned for it.
    pub fn day_of_bar(&self, time: i64, timeframe: Timeframe) -> i32 {
        if timeframe.is_intraday() { self.day(time) } else { day_of_utc(time) }
    }

    /// Returns the bar times that are within some days.
    pub fn times(&self, days: Days, timeframe: Timeframe) -> Range<i64> {
        if timeframe.is_intraday() {
            return self.midnight(days.first)..self.midnight(days.last.saturating_add(1));
        }
        i64::from(days.first) * SECONDS_PER_DAY..(i64::from(days.last) + 1) * SECONDS_PER_DAY
    }

    /// Returns the days of a reach that have ended, whole weeks for weekly bars; `None` if none has
    /// ended.
    pub fn wanted(&self, reach: Reach, timeframe: Timeframe, now: Timestamp) -> Option<Days> {
        let today = self.day(now.as_second());
        let (first, last) = match reach {
            Reach::Back { years, n_bars } => (first_of_month(today - days_back(years, n_bars, timeframe)), today),
            Reach::From(first) => (first, today),
            Reach::Between(first, last) => (first, last.min(today)),
        };
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

/// Returns the number of calendar days that contain `years` years and, before them, `n_bars` bars.
fn days_back(years: f64, n_bars: usize, timeframe: Timeframe) -> i32 {
    let for_bars = match timeframe {
        Timeframe::Week1 => 7.0 * n_bars as f64,
        _ => {
            let bars_per_session = (SECONDS_PER_SESSION / timeframe.seconds() as f64).max(1.0);
            (n_bars as f64 / bars_per_session).ceil() * DAYS_PER_YEAR / SESSIONS_PER_YEAR
        }
    };
    // Bounded, so that the result is a valid date.
    (years * DAYS_PER_YEAR + for_bars + MARGIN_DAYS).ceil().clamp(0.0, 500_000.0) as i32
}

/// Returns the first day of a day's month, at least 1970-01-01, so that jobs of neighbouring days
/// want the same span.
fn first_of_month(day: i32) -> i32 {
    let date = iso_date(day.max(0)).parse::<Date>();
    date.map_or(day, |date| days_since_epoch(date.first_of_month()))
}

/// Returns the last Sunday up to a day; 1970-01-04 was a Sunday.
pub(super) fn sunday_on_or_before(day: i32) -> i32 {
    day - (day - 3).rem_euclid(7)
}

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
    fn a_day_begins_at_midnight_in_new_york_also_when_the_clock_changes() {
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
        let needed = at("2024-07-05T00:00:00Z").as_second();
        for start in ["2024-07-05T04:00:00Z", "2024-07-05T00:00:00Z"] {
            assert_eq!(calendar.bar_time(at(start).as_second(), Timeframe::Day1), needed, "{start}");
        }
        let intraday = at("2024-07-05T13:30:00Z").as_second();
        assert_eq!(calendar.bar_time(intraday, Timeframe::Minute5), intraday);
    }

    #[test]
    fn a_day_or_week_that_has_not_ended_is_never_wanted() {
        let calendar = Calendar::default();
        let last = |timeframe, now| calendar.wanted(Reach::From(day("2024-01-01")), timeframe, at(now)).unwrap().last;
        // A Wednesday; by UTC the next day has begun.
        assert_eq!(last(Timeframe::Day1, "2024-07-11T03:59:59Z"), day("2024-07-09"));
        assert_eq!(last(Timeframe::Minute1, "2024-07-11T04:00:00Z"), day("2024-07-10"));
        assert_eq!(last(Timeframe::Week1, "2024-07-11T12:00:00Z"), day("2024-07-06"));
        assert_eq!(last(Timeframe::Week1, "2024-07-14T12:00:00Z"), day("2024-07-13"), "on Sunday the week has ended");
        let future = Reach::Between(day("2030-01-01"), day("2030-02-01"));
        assert_eq!(calendar.wanted(future, Timeframe::Day1, at("2024-07-11T12:00:00Z")), None);
    }

    #[test]
    fn a_reach_back_begins_with_a_month_and_contains_the_years_and_the_bars_before_them() {
        let calendar = Calendar::default();
        let now = at("2024-07-10T12:00:00Z");
        for (timeframe, n_bars, needed) in [
            // 730.5 + 350 sessions of 1.449 days + 10 days before 2024-07-10, and down to the month.
            (Timeframe::Day1, 350, "2021-02-01"),
            // 350 bars of 5 minutes are five sessions.
            (Timeframe::Minute5, 350, "2022-06-01"),
            // 350 weeks; a Sunday.
            (Timeframe::Week1, 350, "2015-09-27"),
        ] {
            let days = calendar.wanted(Reach::Back { years: 2.0, n_bars }, timeframe, now).unwrap();
            assert_eq!(iso_date(days.first), needed, "{timeframe:?}");
        }
        let everything = Reach::Back { years: f64::MAX, n_bars: usize::MAX };
        assert_eq!(calendar.wanted(everything, Timeframe::Day1, now).unwrap().first, 0);
    }

    #[test]
    fn days_without_others_are_the_days_in_none_of_them() {
        let days = |first, last| Days::new(first, last).unwrap();
        let wanted = days(10, 20);
        assert_eq!(wanted.without([]), [wanted]);
        assert_eq!(wanted.without([days(0, 30)]), []);
        assert_eq!(wanted.without([days(14, 16), days(5, 11)]), [days(12, 13), days(17, 20)]);
        assert_eq!(wanted.without([days(12, 18), days(13, 14), days(20, 20)]), [days(10, 11), days(19, 19)]);
        assert_eq!(wanted.without([days(i32::MIN, 9), days(21, i32::MAX)]), [wanted]);
        assert_eq!(Days::new(2, 1), None);
    }
}
