//! Session dates, days since 1970-01-01, as people read them.

use jiff::{Span, civil};

/// `2024-01-02` for days since 1970-01-01; `day n` beyond the calendar.
pub fn iso_date(day: i32) -> String {
    let span = Span::new().try_days(i64::from(day)).ok();
    let date = span.and_then(|span| civil::Date::constant(1970, 1, 1).checked_add(span).ok());
    date.map_or_else(|| format!("day {day}"), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!([iso_date(0), iso_date(19_723), iso_date(-1)], ["1970-01-01", "2024-01-01", "1969-12-31"]);
        assert_eq!(iso_date(i32::MAX), "day 2147483647");
    }
}
