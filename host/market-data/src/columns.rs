//! Finds the columns of bars by their names, with the same rules for every file format.
//!
//! In: the names of a file's columns. Out: the positions of the time and of the five numbers.
//! Invariant: a name that occurs twice is an error, because the file does not state which of the
//! two columns is meant.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{refused, time_column};

/// Names of the number columns, in the order of `Row::values`.
pub(crate) const NUMBERS: [&str; 5] = ["open", "high", "low", "close", "volume"];
/// Names of the time column in files of other programs: pandas, yfinance and freqtrade (`date`,
/// `datetime`), TradingView (`time`), ccxt (`timestamp`), Binance (`open_time`), Polygon (`t`).
const TIMES: [&str; 10] =
    ["date", "datetime", "date_time", "time", "timestamp", "ts", "t", "open_time", "opentime", "unix"];
/// Maximum number of columns that an error message lists. A damaged file may have any number.
const MAX_LISTED: usize = 20;
/// The reader of CSV files appends this text and a number to the name of a repeated column.
const REPEATED: &str = "_duplicated_";

/// The positions of the columns of bars in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BarColumns {
    /// Position of the time column.
    pub time: usize,
    /// Positions of the numbers, in the order of `Row::values`.
    pub numbers: [usize; NUMBERS.len()],
}

impl BarColumns {
    /// Finds the columns of bars among all columns of a file.
    ///
    /// * `file`: name of the file, for error messages.
    /// * `hint`: remedy in the failure.
    ///
    /// # Errors
    /// Returns `bad_bars` if a column is missing, or if several columns have its name.
    pub(crate) fn find(names: &[&str], timeframe: Timeframe, file: &str, hint: &str) -> Result<Self, JobError> {
        let header = Header { names, normalized: names.iter().map(|name| normalized(name)).collect() };
        let failure = |message: String| refused(ErrorCode::BadBars, format!("{file} {message}"), hint);
        let time = header.time(time_column(timeframe)).map_err(failure)?;
        let mut numbers = [0; NUMBERS.len()];
        for (position, name) in numbers.iter_mut().zip(NUMBERS) {
            let found = header.position(&[name]).map_err(failure)?;
            *position = found.ok_or_else(|| failure(format!("has no column {name:?}, it has {}", header.listed())))?;
        }
        Ok(Self { time, numbers })
    }
}

/// The names of a file's columns.
struct Header<'a> {
    names: &'a [&'a str],
    normalized: Vec<String>,
}

impl Header<'_> {
    /// Returns the position of the time column. The usual name for the timeframe has precedence, so
    /// a file may have both a `date` and a `timestamp`.
    fn time(&self, usual: &str) -> Result<usize, String> {
        let found = self.position(&[usual])?.map_or_else(|| self.position(&TIMES), |position| Ok(Some(position)))?;
        found.ok_or_else(|| format!("has no column {usual:?} or another time, it has {}", self.listed()))
    }

    /// Returns the position of the only column with one of the names.
    fn position(&self, expected: &[&str]) -> Result<Option<usize>, String> {
        let is_expected = |position: &usize| expected.contains(&self.normalized[*position].as_str());
        let found: Vec<usize> = (0..self.names.len()).filter(is_expected).collect();
        match found[..] {
            [] => Ok(None),
            [position] => Ok(Some(position)),
            _ => {
                let column =
                    |&position: &usize| format!("{:?} (column {})", original(self.names[position]), position + 1);
                let found = found.iter().take(MAX_LISTED).map(column).collect::<Vec<_>>().join(", ");
                let role = if expected.len() == 1 { expected[0] } else { "the time" };
                Err(format!("has several columns of {role}: {found}, expected one"))
            }
        }
    }

    fn listed(&self) -> String {
        self.names.iter().take(MAX_LISTED).copied().collect::<Vec<_>>().join(", ")
    }
}

/// Returns the name of a column as it is in the file.
fn original(name: &str) -> &str {
    match name.rsplit_once(REPEATED) {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// Returns a name in lower case, without the angle brackets of `MetaTrader` and with `_` between
/// words.
fn normalized(name: &str) -> String {
    let name =
        original(name).trim_matches(|character: char| character.is_whitespace() || "<>\u{feff}".contains(character));
    name.to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(header: &str, timeframe: Timeframe) -> Result<BarColumns, String> {
        let names: Vec<&str> = header.split(',').collect();
        BarColumns::find(&names, timeframe, "A.csv", "").map_err(|failure| failure.message)
    }

    #[test]
    fn the_names_of_common_exports_are_found() {
        for header in [
            "Date,Open,High,Low,Close,Adj Close,Volume",
            "Datetime,Open,High,Low,Close,Volume",
            "time,open,high,low,close,Volume",
            "open_time,open,high,low,close,volume,close_time,quote_volume",
            "Open Time,Open,High,Low,Close,Volume,Close Time",
            "<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOLUME>",
            "\u{feff}unix,open,high,low,close,volume",
            " T , OPEN,high,low,close,volume",
        ] {
            for timeframe in [Timeframe::Day1, Timeframe::Hour1] {
                assert_eq!(find(header, timeframe).unwrap().time, 0, "{header}");
            }
        }
        assert_eq!(
            find("date,close,low,x,high,open,volume", Timeframe::Day1).unwrap(),
            BarColumns { time: 0, numbers: [5, 4, 2, 1, 6] }
        );
    }

    #[test]
    fn the_usual_name_of_the_timeframe_has_precedence() {
        let header = "timestamp,date,open,high,low,close,volume";
        assert_eq!(find(header, Timeframe::Day1).unwrap().time, 1);
        assert_eq!(find(header, Timeframe::Hour1).unwrap().time, 0);
    }

    #[test]
    fn columns_with_the_same_meaning_are_rejected_with_their_positions() {
        for (header, expected) in [
            (
                "date,close,open,high,low,Close,volume",
                r#"A.csv has several columns of close: "close" (column 2), "Close" (column 6), expected one"#,
            ),
            ("date,open,open_duplicated_0,high,low,close,volume", r#"of open: "open" (column 2), "open" (column 3)"#),
            ("Date,DATE,open,high,low,close,volume", r#"of date: "Date" (column 1), "DATE" (column 2)"#),
            (
                "day,time,datetime,open,high,low,close,volume",
                r#"of the time: "time" (column 2), "datetime" (column 3)"#,
            ),
        ] {
            let message = find(header, Timeframe::Day1).unwrap_err();
            assert!(message.contains(expected), "missing: {expected}\nin: {message}");
        }
    }

    #[test]
    fn a_missing_column_is_named_with_the_columns_of_the_file() {
        for (header, expected) in [
            ("date,open,high,low,volume", r#"A.csv has no column "close", it has date, open, high, low, volume"#),
            ("day,open,high,low,close,volume", r#"has no column "date" or another time, it has day, open"#),
        ] {
            let message = find(header, Timeframe::Day1).unwrap_err();
            assert!(message.contains(expected), "missing: {expected}\nin: {message}");
        }
    }
}
