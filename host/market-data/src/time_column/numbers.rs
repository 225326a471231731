//! Reads the numbers of a time column: seconds, milliseconds, microseconds or nanoseconds since
//! 1970, or dates such as 20240102.
//!
//! In: the numbers in the order of the file. Out: seconds since 1970-01-01 UTC. Invariant: a number
//! whose unit is doubtful is an error.
//!
//! The unit follows from the size of a number. From 1970-03-26 to 2200, times have disjoint ranges
//! in the four units. A file may change its unit once, as those of Binance did on 2025-01-01: the
//! times must then still ascend. Milliseconds of early 1970 would be read as seconds, but then the
//! times do not ascend at the change.

use jiff::civil::Date;
use oculus_job::request::Timeframe;

use super::ParsedTime;

/// The last second of the year 2199. Larger numbers have a shorter unit.
const MAX_SECONDS: u64 = 7_258_118_399;
/// Numbers of 8 digits that can be a date such as 20240102, from the year 1900 to 2199. As seconds,
/// they would be times in August and September 1970.
const COMPACT_DATES: std::ops::Range<i64> = 19_000_101..22_000_000;

/// The units of times since 1970 with their number per second, the longest first.
const UNITS: [(&str, i64); 4] =
    [("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)];

/// The numbers of a column that were read so far.
#[derive(Clone, Debug)]
pub(super) struct NumberReader {
    is_intraday: bool,
    /// Unit of the previous number, and its time in seconds.
    previous: Option<(&'static str, i64)>,
}

impl NumberReader {
    pub(super) fn new(timeframe: Timeframe) -> Self {
        Self { is_intraday: timeframe.is_intraday(), previous: None }
    }

    /// Converts the next number of the column.
    ///
    /// # Errors
    /// Returns the expected value if the number is not a time, or if its unit is doubtful.
    pub(super) fn read(&mut self, number: i64) -> Result<ParsedTime, String> {
        if let Some(date) = compact_date(number) {
            return match self.is_intraday {
                true => Err("a time, not only a date".to_owned()),
                false => Ok(ParsedTime::Date(date)),
            };
        }
        let is_possible =
            |(_, per_second): &(&str, i64)| number.unsigned_abs() / per_second.unsigned_abs() <= MAX_SECONDS;
        let (unit, per_second) =
            UNITS.into_iter().find(is_possible).ok_or_else(|| "a time from year 1740 to 2199".to_owned())?;
        let seconds = number.div_euclid(per_second);
        if let Some((other, earlier)) = self.previous.replace((unit, seconds))
            && other != unit
            && seconds <= earlier
        {
            return Err(format!(
                "{other} as in the row before, because the times do not ascend if it is read as {unit}"
            ));
        }
        Ok(ParsedTime::utc(seconds))
    }
}

fn compact_date(number: i64) -> Option<Date> {
    let digits = COMPACT_DATES.contains(&number).then_some(number)?;
    let year = i16::try_from(digits / 10_000).ok()?;
    let month = i8::try_from(digits / 100 % 100).ok()?;
    Date::new(year, month, i8::try_from(digits % 100).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_column::TimeReader;

    fn times(numbers: &[i64], timeframe: Timeframe) -> Result<Vec<i64>, String> {
        let mut reader = TimeReader::new(timeframe);
        numbers.iter().map(|&number| reader.number(number)).collect()
    }

    #[test]
    fn the_unit_follows_from_the_size_of_the_number() {
        let seconds = 1_704_205_800_i64;
        for per_second in [1, 1_000, 1_000_000, 1_000_000_000] {
            assert_eq!(times(&[seconds * per_second], Timeframe::Hour1), Ok(vec![seconds]), "{per_second}");
            assert_eq!(times(&[-seconds * per_second], Timeframe::Hour1), Ok(vec![-seconds]), "{per_second}");
        }
    }

    #[test]
    fn a_column_may_change_its_unit_while_its_times_ascend() {
        let changed = [1_735_686_000_000, 1_735_689_600_000_000, 1_735_693_200_000_000];
        let expected = vec![1_735_686_000, 1_735_689_600, 1_735_693_200];
        assert_eq!(times(&changed, Timeframe::Hour1), Ok(expected));
        // Daily milliseconds of 1970 around the number above which they are no longer read as seconds.
        let early = [80 * 86_400_000, 85 * 86_400_000];
        let expected = times(&early, Timeframe::Hour1).unwrap_err();
        assert!(expected.starts_with("seconds as in the row before"), "{expected}");
    }

    #[test]
    fn a_number_of_eight_digits_is_a_date() {
        assert_eq!(times(&[20_240_102], Timeframe::Day1), Ok(vec![1_704_153_600]));
        assert_eq!(times(&[20_240_102], Timeframe::Hour1), Err("a time, not only a date".to_owned()));
        assert!(times(&[20_241_302], Timeframe::Day1).is_err(), "there is no month 13");
    }

    #[test]
    fn the_placeholders_of_missing_times_are_rejected() {
        for number in [i64::MIN, i64::MAX] {
            assert_eq!(times(&[number], Timeframe::Hour1), Err("a time from year 1740 to 2199".to_owned()));
        }
    }
}
