//! Tests of the sessions of intraday bars, on the trading hours of real markets.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday, date};
use jiff::{Span, ToSpan};

use super::*;
use crate::bars::Bars;
use crate::date::{days_since_epoch, iso_date};

/// A session of a market: its start and its end as hours after midnight of its date. A time before
/// midnight is negative.
type Hours = (f64, f64);

/// The trading hours of a market.
struct Exchange {
    zone: &'static str,
    /// Parts of a session, such as those before and after lunch.
    hours: &'static [Hours],
}

const NEW_YORK: Exchange = Exchange { zone: "America/New_York", hours: &[(9.5, 16.0)] };
const NEW_YORK_EXTENDED: Exchange = Exchange { zone: "America/New_York", hours: &[(4.0, 20.0)] };
const LONDON: Exchange = Exchange { zone: "Europe/London", hours: &[(8.0, 16.5)] };
const TOKYO: Exchange = Exchange { zone: "Asia/Tokyo", hours: &[(9.0, 11.5), (12.5, 15.5)] };
const HONG_KONG: Exchange = Exchange { zone: "Asia/Hong_Kong", hours: &[(9.5, 12.0), (13.0, 16.0)] };
const SHANGHAI: Exchange = Exchange { zone: "Asia/Shanghai", hours: &[(9.5, 11.5), (13.0, 15.0)] };
const MUMBAI: Exchange = Exchange { zone: "Asia/Kolkata", hours: &[(9.25, 15.5)] };
const SYDNEY: Exchange = Exchange { zone: "Australia/Sydney", hours: &[(10.0, 16.0)] };
const AUCKLAND: Exchange = Exchange { zone: "Pacific/Auckland", hours: &[(10.0, 16.75)] };
const RIYADH: Exchange = Exchange { zone: "Asia/Riyadh", hours: &[(10.0, 15.25)] };
/// Currencies: the session of a Monday starts at 17:00 on Sunday.
const CURRENCIES: Exchange = Exchange { zone: "America/New_York", hours: &[(-7.0, 17.0)] };
/// Futures, with a pause of an hour per day.
const FUTURES: Exchange = Exchange { zone: "America/New_York", hours: &[(-6.0, 17.0)] };

const EXCHANGES: [&Exchange; 12] = [
    &NEW_YORK,
    &NEW_YORK_EXTENDED,
    &LONDON,
    &TOKYO,
    &HONG_KONG,
    &SHANGHAI,
    &MUMBAI,
    &SYDNEY,
    &AUCKLAND,
    &RIYADH,
    &CURRENCIES,
    &FUTURES,
];

const TIMEFRAMES: [Timeframe; 5] =
    [Timeframe::Minute5, Timeframe::Minute15, Timeframe::Minute30, Timeframe::Hour1, Timeframe::Hour4];

impl Exchange {
    /// Returns the start of each bar with the date of its session, for the weekdays from a date on.
    fn bars(&self, first: Date, n_days: i64, timeframe: Timeframe) -> BTreeMap<i64, i32> {
        let zone = TimeZone::get(self.zone).unwrap();
        let weekdays = (0..n_days).map(|days| first + days.days()).filter(|date| !is_weekend(*date));
        let mut bars = BTreeMap::new();
        for date in weekdays {
            let at = |hours: f64| {
                let time = date.at(0, 0, 0, 0) + Span::new().minutes((hours * 60.0) as i64);
                zone.to_timestamp(time).unwrap().as_second()
            };
            for &(from, to) in self.hours {
                let starts = (at(from)..at(to)).step_by(timeframe.seconds() as usize);
                bars.extend(starts.map(|start| (start, days_since_epoch(date))));
            }
        }
        bars
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn days_of(times: impl IntoIterator<Item = i64>, timeframe: Timeframe) -> Vec<i32> {
    Bars { time: times.into_iter().collect(), ..Bars::default() }.session_days(timeframe)
}

#[test]
fn every_bar_has_the_date_that_its_exchange_has() {
    for exchange in EXCHANGES {
        for timeframe in TIMEFRAMES {
            // Two years, and the seasons of one of them: clocks change on different dates.
            for (first, n_days) in [(date(2022, 3, 1), 730), (date(2023, 1, 9), 21), (date(2023, 7, 3), 21)] {
                let bars = exchange.bars(first, n_days, timeframe);
                let found = days_of(bars.keys().copied(), timeframe);
                let expected: Vec<i32> = bars.values().copied().collect();
                let wrong = found.iter().zip(&expected).position(|(found, expected)| found != expected);
                let wrong = wrong.map(|bar| (iso_date(found[bar]), iso_date(expected[bar])));
                assert_eq!(wrong, None, "{} {timeframe:?} from {first}", exchange.zone);
            }
        }
    }
}

#[test]
fn american_and_european_bars_have_the_dates_of_new_york() {
    let zone = TimeZone::get("America/New_York").unwrap();
    for exchange in [&NEW_YORK, &NEW_YORK_EXTENDED, &LONDON] {
        let times: Vec<i64> = exchange.bars(date(2023, 1, 2), 400, Timeframe::Hour1).into_keys().collect();
        let new_york = |time: &i64| days_since_epoch(zone.to_datetime(Timestamp::from_second(*time).unwrap()).date());
        assert_eq!(days_of(times.clone(), Timeframe::Hour1), times.iter().map(new_york).collect::<Vec<_>>());
    }
}

#[test]
fn a_market_without_a_pause_has_the_dates_of_utc() {
    let first = 19_000 * SECONDS_PER_DAY;
    for timeframe in TIMEFRAMES {
        let times: Vec<i64> = (first..first + 40 * SECONDS_PER_DAY).step_by(timeframe.seconds() as usize).collect();
        let utc: Vec<i32> = times.iter().map(|time| time.div_euclid(SECONDS_PER_DAY) as i32).collect();
        assert_eq!(days_of(times, timeframe), utc, "{timeframe:?}");
    }
}

#[test]
fn bars_of_currencies_that_contain_the_end_of_a_session_have_no_date_at_the_weekend() {
    // The market opens at 22:00 UTC on Sunday and closes at 22:00 UTC on Friday. The bars start at
    // multiples of 4 hours after midnight UTC, so the first bar of a week starts at 20:00.
    let monday = days_since_epoch(date(2023, 11, 13));
    let week = (0..31).map(|bar| i64::from(monday) * SECONDS_PER_DAY + (bar - 1) * 14_400);
    let times: Vec<i64> = (0..8).flat_map(|n| week.clone().map(move |time| time + n * 7 * SECONDS_PER_DAY)).collect();
    for day in days_of(times, Timeframe::Hour4) {
        assert!((day - monday) % 7 < 5, "{}", iso_date(day));
    }
}

#[test]
fn missing_bars_and_bars_at_unusual_times_do_not_move_the_dates_of_other_bars() {
    let bars = TOKYO.bars(date(2023, 1, 2), 300, Timeframe::Minute30);
    // A third of the bars is missing, and four bars were traded at New York's noon.
    let mut kept: BTreeMap<i64, i32> =
        bars.into_iter().enumerate().filter(|(n, _)| n % 3 != 1).map(|it| it.1).collect();
    let stray: Vec<i64> = [10, 60, 110, 160].map(|day| (19_359 + day) * SECONDS_PER_DAY + 61_200).to_vec();
    kept.extend(stray.iter().map(|&time| (time, 0)));
    let found = days_of(kept.keys().copied(), Timeframe::Minute30);
    for ((time, expected), found) in kept.iter().zip(found) {
        assert!(stray.contains(time) || *expected == found, "{time}: {}", iso_date(found));
    }
}

#[test]
fn a_part_of_a_series_has_the_same_dates() {
    for exchange in EXCHANGES {
        let bars: Vec<(i64, i32)> = exchange.bars(date(2022, 3, 1), 730, Timeframe::Hour1).into_iter().collect();
        for part in bars.chunks_exact(200) {
            let expected: Vec<i32> = part.iter().map(|bar| bar.1).collect();
            assert_eq!(days_of(part.iter().map(|bar| bar.0), Timeframe::Hour1), expected, "{}", exchange.zone);
        }
    }
}

#[test]
fn daily_bars_keep_their_dates() {
    let times = [19_723, 19_724, 19_727].map(|day| day * SECONDS_PER_DAY);
    assert_eq!(days_of(times, Timeframe::Day1), [19_723, 19_724, 19_727]);
    assert_eq!(days_of(times, Timeframe::Week1), [19_723, 19_724, 19_727]);
    assert_eq!(days_of([], Timeframe::Hour1), Vec::<i32>::new());
}
