//! Converts between calendar dates and days since 1970-01-01. Session dates are stored as such
//! days.

use jiff::{Span, civil};

/// Returns the ISO date of a day since 1970-01-01, such as `2024-01-02`, or `day n` if the calendar
/// does not contain it.
pub fn iso_date(day: i32) -> String {
    date(day).map_or_else(|| format!("day {day}"), |date| date.to_string())
}

/// Returns the month of a day since 1970-01-01, from 1 for January, or 1 if the calendar does not
/// contain the day.
pub fn month(day: i32) -> i8 {
    date(day).map_or(1, civil::Date::month)
}

fn date(day: i32) -> Option<civil::Date> {
    let span = Span::new().try_days(i64::from(day)).ok()?;
    civil::Date::constant(1970, 1, 1).checked_add(span).ok()
}

/// Converts a date into days since 1970-01-01; the inverse of [`iso_date`].
pub fn days_since_epoch(date: civil::Date) -> i32 {
    let days = date.duration_since(civil::Date::constant(1970, 1, 1)).as_hours() / 24;
    i32::try_from(days).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_formatted_as_dates() {
        assert_eq!([iso_date(0), iso_date(19_723), iso_date(-1)], ["1970-01-01", "2024-01-01", "1969-12-31"]);
        assert_eq!(iso_date(i32::MAX), "day 2147483647");
    }

    #[test]
    fn days_have_months() {
        assert_eq!([month(0), month(31), month(-1), month(19_782), month(i32::MAX)], [1, 2, 12, 2, 1]);
    }

    #[test]
    fn dates_convert_back_to_their_days() {
        for day in [-400_000, -1, 0, 19_723, 1_000_000] {
            assert_eq!(days_since_epoch(iso_date(day).parse().unwrap()), day);
        }
    }
}
