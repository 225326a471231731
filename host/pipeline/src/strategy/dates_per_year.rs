//! Counts the dates per year of a market, which annualise its figures.

use std::collections::BTreeSet;

use oculus_job::request::Timeframe;

const DAYS_PER_YEAR: f64 = 365.25;
const WEEKS_PER_YEAR: f64 = 52.0;
/// Dates per year of a market with five sessions per week, less the holidays. This is the usual
/// number for shares.
const WEEKDAYS_PER_YEAR: f64 = 252.0;
/// Largest relative distance of a measured number from [`WEEKDAYS_PER_YEAR`] that is treated as the
/// effect of holidays and missing bars. Exchanges have 241 to 261 sessions per year.
const WEEKDAYS_TOLERANCE: f64 = 0.05;
/// Smallest number of dates from which the number per year is measured. A few weeks do not show the
/// holidays of a market.
const MIN_DATES: usize = 60;
/// Longest distance between two dates, in days, that is a part of the calendar, such as the new
/// year in China. A longer distance is a hole in the data and is not counted.
const MAX_CLOSED_DAYS: i32 = 14;

/// Returns the number of dates per year on which any symbol has a bar.
///
/// The number is measured on all dates of the job, so that it does not depend on the period whose
/// figures are annualised. It is 252 if it is within 5 % of 252, as in every market with five
/// sessions per week. It is 365.25 in a market that trades on every day. Weekly bars have 52 dates
/// per year.
///
/// * `days`: session date of each bar of each symbol, days since 1970-01-01.
pub(super) fn dates_per_year(days: &[Vec<i32>], timeframe: Timeframe) -> f64 {
    if timeframe == Timeframe::Week1 {
        return WEEKS_PER_YEAR;
    }
    let dates: BTreeSet<i32> = days.iter().flatten().copied().collect();
    if dates.len() < MIN_DATES {
        return WEEKDAYS_PER_YEAR;
    }
    let steps = dates.iter().zip(dates.iter().skip(1)).map(|(date, next)| next - date);
    let counted: Vec<i32> = steps.filter(|&n_days| n_days <= MAX_CLOSED_DAYS).collect();
    let n_days: i32 = counted.iter().sum();
    if n_days == 0 {
        return WEEKDAYS_PER_YEAR;
    }
    let measured = DAYS_PER_YEAR * counted.len() as f64 / f64::from(n_days);
    let is_usual = (measured / WEEKDAYS_PER_YEAR - 1.0).abs() <= WEEKDAYS_TOLERANCE;
    if is_usual { WEEKDAYS_PER_YEAR } else { measured }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the days from 2024-01-01, a Monday, on which a market trades.
    fn days(n_days: i32, trades: impl Fn(i32) -> bool) -> Vec<i32> {
        (0..n_days).filter(|&day| trades(day)).map(|day| 19_723 + day).collect()
    }

    fn is_weekday(day: i32) -> bool {
        day % 7 < 5
    }

    fn daily(days: &[Vec<i32>]) -> f64 {
        dates_per_year(days, Timeframe::Day1)
    }

    #[test]
    fn a_market_with_five_sessions_per_week_has_252_dates_per_year() {
        for n_days in [90, 300, 730, 3_000] {
            // Without holidays, with ten holidays per year, and with twenty.
            for between in [10_000, 36, 18] {
                let dates = days(n_days, |day| is_weekday(day) && day % between != 1);
                assert_eq!(daily(&[dates]), 252.0, "{n_days} {between}");
            }
        }
    }

    #[test]
    fn holes_in_the_data_and_absent_symbols_do_not_change_the_number() {
        let with_hole = days(900, |day| is_weekday(day) && !(200..330).contains(&day));
        assert_eq!(daily(&[with_hole]), 252.0);
        let every_day = days(900, |day| !(200..330).contains(&day));
        assert_eq!(daily(&[every_day]), 365.25);
        let halves = [days(400, is_weekday), days(900, |day| is_weekday(day) && day > 300)];
        assert_eq!(daily(&halves), 252.0);
    }

    #[test]
    fn a_market_that_trades_on_other_days_has_its_own_number() {
        assert_eq!(daily(&[days(700, |_| true)]), 365.25);
        let six = daily(&[days(700, |day| day % 7 < 6)]);
        assert!((six - 365.25 * 6.0 / 7.0).abs() < 1.0, "{six}");
        let every_second_weekday = daily(&[days(700, |day| is_weekday(day) && day % 2 == 0)]);
        assert!((every_second_weekday - 130.5).abs() < 1.0, "{every_second_weekday}");
        // Shares and a currency that trades on every day, in one job.
        assert_eq!(daily(&[days(700, is_weekday), days(700, |_| true)]), 365.25);
    }

    #[test]
    fn weekly_bars_have_52_dates_and_short_series_the_usual_number() {
        assert_eq!(dates_per_year(&[days(700, |day| day % 7 == 0)], Timeframe::Week1), 52.0);
        assert_eq!(daily(&[days(40, |_| true)]), 252.0);
        assert_eq!(daily(&[]), 252.0);
    }
}
