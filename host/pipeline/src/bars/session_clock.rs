//! Finds the clock whose midnight separates the sessions of a market, from the times of its bars.
//!
//! In: the start of each bar. Out: a [`SessionClock`]. Invariant: if trading ends at least three
//! hours before New York's midnight and begins after it, the clock is New York's.
//!
//! A session belongs to one date, so its market has to be closed when the date changes. The times
//! of day at which bars are traded show when a market is closed. A break for lunch is shorter than
//! a night, so it does not separate sessions.

use jiff::{Timestamp, tz::TimeZone};
use oculus_job::request::Timeframe;

use super::session::day_of;

const SECONDS_PER_DAY: i64 = 86_400;
const SECONDS_PER_HOUR: i64 = 3_600;

/// Length of the slots of a day or a week in which bars are counted.
const SLOT_S: i64 = 900;
const SLOTS_PER_DAY: usize = (SECONDS_PER_DAY / SLOT_S) as usize;
const SLOTS_PER_WEEK: usize = 7 * SLOTS_PER_DAY;
/// A slot is quiet if it has at most this share of the bars of the busiest slot. A few bars at
/// unusual times, such as those of a special session, do not make a slot busy.
const QUIET_SHARE: f64 = 0.05;
/// Shortest daily pause that separates sessions. Markets that trade around the clock pause for an
/// hour at most.
const MIN_NIGHT_S: i64 = 3 * SECONDS_PER_HOUR;
/// Shortest weekly pause that is a weekend.
const MIN_WEEKEND_S: i64 = 24 * SECONDS_PER_HOUR;
/// Shortest history in which a part of the week without bars is treated as a weekend.
const MIN_WEEK_S: i64 = 7 * SECONDS_PER_DAY;
/// Time from the end of a session around the clock, 17:00 in New York, to the next midnight.
const AFTER_CLOSE_S: i64 = 7 * SECONDS_PER_HOUR;
/// Remainder of the days since 1970-01-01 that are Sundays, divided by 7: day 0 was a Thursday.
const SUNDAY: i32 = 3;
/// Largest distance of a clock ahead of UTC. A clock that is further ahead is treated as one that
/// is behind UTC: exchanges exist from UTC−10 to UTC+13.
const MAX_AHEAD_S: i64 = 13 * SECONDS_PER_HOUR;

/// A clock whose midnight separates sessions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SessionClock {
    zone: TimeZone,
    /// Number of seconds by which the clock is ahead of its zone.
    ahead_s: i64,
    /// Whether a Sunday on this clock belongs to the session of the Monday.
    rests_on_sundays: bool,
}

impl SessionClock {
    /// Returns the clock of UTC, in which daily and weekly bars store their date as midnight.
    fn utc() -> Self {
        Self { zone: TimeZone::UTC, ahead_s: 0, rests_on_sundays: false }
    }

    fn new_york() -> Self {
        Self { zone: TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC), ..Self::utc() }
    }

    /// Finds the clock of a market.
    ///
    /// - A market that closes at least three hours before New York's midnight, and opens after it,
    ///   has New York's clock. These are the markets of America, Europe and the Middle East. The
    ///   markets of Oceania close less than three hours before New York's midnight in summer.
    /// - Another market that is closed for at least three hours per day has a clock whose midnight
    ///   is in the middle of this pause. These are the other markets of Asia, and of Oceania.
    /// - A market that trades around the clock, but not at weekends, changes the date at 17:00 in
    ///   New York, as is usual in the trade of currencies. The session that begins on a Sunday has
    ///   the date of the Monday.
    /// - A market that never closes has the date in UTC.
    ///
    /// * `times`: start of each bar, ascending, seconds since 1970-01-01 UTC.
    pub(super) fn find(times: &[i64], timeframe: Timeframe) -> Self {
        if !timeframe.is_intraday() {
            return Self::utc();
        }
        let bar_s = timeframe.seconds();
        let new_york = Self::new_york();
        let week = new_york.bars_by_slot(times, SLOTS_PER_WEEK);
        let night = Pause::longest(&by_time_of_day(&week), bar_s);
        if (MIN_NIGHT_S..=night.length_s).contains(&night.until_midnight_s()) {
            return new_york;
        }
        let night = Pause::longest(&Self::utc().bars_by_slot(times, SLOTS_PER_DAY), bar_s);
        if night.length_s >= MIN_NIGHT_S {
            return Self { ahead_s: night.midnight_in_the_middle(), ..Self::utc() };
        }
        let span_s = times.first().zip(times.last()).map_or(0, |(first, last)| last - first);
        if span_s >= MIN_WEEK_S && Pause::longest(&week, bar_s).length_s >= MIN_WEEKEND_S {
            return Self { ahead_s: AFTER_CLOSE_S, rests_on_sundays: true, ..new_york };
        }
        Self::utc()
    }

    /// Returns the session date of each bar, days since 1970-01-01.
    ///
    /// * `times`: start of each bar, seconds since 1970-01-01 UTC.
    pub(super) fn days(&self, times: &[i64]) -> Vec<i32> {
        let mut local_times = self.local_times();
        let day = |&time: &i64| {
            let day = day_of(local_times(time));
            // A 4h bar that starts before the market opens on a Sunday is the first bar of Monday.
            if self.rests_on_sundays && day.rem_euclid(7) == SUNDAY { day + 1 } else { day }
        };
        times.iter().map(day).collect()
    }

    /// Counts the bars that start in each slot of a period of this clock, such as a week.
    fn bars_by_slot(&self, times: &[i64], n_slots: usize) -> Vec<u32> {
        let mut n_bars = vec![0; n_slots];
        let mut local_times = self.local_times();
        for &time in times {
            n_bars[local_times(time).div_euclid(SLOT_S).rem_euclid(n_slots as i64) as usize] += 1;
        }
        n_bars
    }

    /// Returns a function that converts a time into the time of this clock, both in seconds since
    /// 1970-01-01. It is fastest for ascending times.
    fn local_times(&self) -> impl FnMut(i64) -> i64 {
        // A time zone keeps its offset for months, so the offset is looked up only when it changes.
        // A look-up per bar would take longer than most features.
        let mut unchanged = 0..0;
        let mut offset_s = 0;
        move |time| {
            if !unchanged.contains(&time) {
                unchanged = time..self.next_change(time);
                offset_s = self.offset_s_at(time);
            }
            time + offset_s
        }
    }

    /// Returns the offset of the clock from UTC at a time, in seconds.
    fn offset_s_at(&self, time: i64) -> i64 {
        let offset_s = |timestamp| i64::from(self.zone.to_offset(timestamp).seconds());
        self.ahead_s + Timestamp::from_second(time).map_or(0, offset_s)
    }

    /// Returns the time of the next change of the offset, or `i64::MAX` if none is known.
    fn next_change(&self, time: i64) -> i64 {
        let change = Timestamp::from_second(time).ok().and_then(|timestamp| self.zone.following(timestamp).next());
        change.map_or(i64::MAX, |change| change.timestamp().as_second())
    }
}

/// Sums the bars of a week by the slot of their day.
fn by_time_of_day(week: &[u32]) -> Vec<u32> {
    (0..SLOTS_PER_DAY).map(|slot| week.iter().skip(slot).step_by(SLOTS_PER_DAY).sum()).collect()
}

/// A part of a repeating period, such as a day, in which no bars are traded.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    /// Start of the pause, seconds since the start of the period.
    start_s: i64,
    length_s: i64,
}

impl Pause {
    /// Returns the longest pause.
    ///
    /// * `starts`: number of bars that start in each slot of the period.
    fn longest(starts: &[u32], bar_s: i64) -> Self {
        let n_slots = starts.len();
        // A bar is traded until its end, so a 4h bar covers several slots.
        let n_covered = (bar_s / SLOT_S).max(1) as usize;
        let covering = |slot: usize| (0..n_covered).map(|back| starts[(slot + n_slots - back) % n_slots]).sum::<u32>();
        let bars: Vec<u32> = (0..n_slots).map(covering).collect();
        let limit = QUIET_SHARE * f64::from(bars.iter().copied().max().unwrap_or(0));
        let mut longest = Self::default();
        let mut n_quiet = 0;
        // A pause may include the end and the start of the period, so the slots are passed twice.
        for slot in 0..2 * n_slots {
            let is_quiet = f64::from(bars[slot % n_slots]) <= limit;
            n_quiet = if is_quiet { n_slots.min(n_quiet + 1) } else { 0 };
            let length_s = n_quiet as i64 * SLOT_S;
            if length_s > longest.length_s {
                longest = Self { start_s: ((slot + 1 - n_quiet) % n_slots) as i64 * SLOT_S, length_s };
            }
        }
        longest
    }

    /// Returns the time from the start of this pause of a day to midnight, in seconds.
    fn until_midnight_s(&self) -> i64 {
        (SECONDS_PER_DAY - self.start_s) % SECONDS_PER_DAY
    }

    /// Returns the number of seconds by which a clock is ahead if its midnight is in the middle of
    /// this pause of a day.
    fn midnight_in_the_middle(&self) -> i64 {
        let ahead_s = (-self.start_s - self.length_s / 2).rem_euclid(SECONDS_PER_DAY);
        if ahead_s > MAX_AHEAD_S { ahead_s - SECONDS_PER_DAY } else { ahead_s }
    }
}

#[cfg(test)]
mod tests;
