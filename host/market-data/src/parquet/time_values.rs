//! The column of times of a Parquet file.
//!
//! In: a column of any type. Out: seconds since 1970-01-01 UTC per row, or an error that names the
//! row.
//! Invariant: a daily bar is at midnight UTC of its date.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::refused;
use polars::prelude::{DataType, Series, TimeUnit};

use super::refusal::{HINT, damaged};
use crate::time_column;

const SECONDS_PER_DAY: i64 = 86_400;
const EXCHANGE_ZONE: &str = "America/New_York";

/// The times of a column, one per row.
pub(super) struct TimeValues<'a> {
    name: &'a str,
    file: &'a str,
    form: Form,
    /// Zones whose midnight a daily bar may carry; `None` for intraday bars.
    midnights: Option<Vec<TimeZone>>,
    column: Series,
}

/// Form of the times of a column.
#[derive(Clone, Copy)]
enum Form {
    Days,
    /// Units; the number states how many make a second.
    Ticks(i64),
    Numbers,
    Texts,
}

impl<'a> TimeValues<'a> {
    /// Creates the times of a column.
    ///
    /// # Errors
    /// `bad_bars` if the type of the column cannot contain times.
    pub(super) fn new(column: &'a Series, file: &'a str, timeframe: Timeframe) -> Result<Self, Failure> {
        let name = column.name().as_str();
        let mut zones = vec![TimeZone::UTC];
        let form = match column.dtype() {
            DataType::Date if !timeframe.is_intraday() => Form::Days,
            DataType::Datetime(unit, zone) => {
                zones = own_zone(zone.as_ref().map(|zone| zone.as_str()), file)?;
                Form::Ticks(match unit {
                    TimeUnit::Milliseconds => 1_000,
                    TimeUnit::Microseconds => 1_000_000,
                    TimeUnit::Nanoseconds => 1_000_000_000,
                })
            }
            DataType::Int64 | DataType::Int32 | DataType::UInt32 => Form::Numbers,
            DataType::String => Form::Texts,
            other => {
                let message =
                    format!("{file}: {name} is of type {other}, needed a date, a time, whole numbers or text");
                return Err(refused(ErrorCode::BadBars, message, HINT));
            }
        };
        let physical = match form {
            Form::Texts => column.clone(),
            _ => column
                .to_physical_repr()
                .cast(&DataType::Int64)
                .map_err(|error| damaged(file, &format!("{name}: {error}")))?,
        };
        zones.extend(time_column::zone(EXCHANGE_ZONE));
        let midnights = (!timeframe.is_intraday()).then_some(zones);
        Ok(Self { name, file, form, midnights, column: physical })
    }

    /// Returns the time of a row in seconds since 1970-01-01 UTC; a daily bar is at midnight UTC of
    /// its date.
    pub(super) fn get(&self, idx: usize) -> Result<i64, Failure> {
        if let Form::Texts = self.form {
            let text = self.column.str().ok().and_then(|texts| texts.get(idx));
            let parse = if self.midnights.is_some() { time_column::parse_date } else { time_column::parse_time };
            let needed = if self.midnights.is_some() { time_column::NEEDED_DATE } else { time_column::NEEDED_TIME };
            let parsed = text.map(str::trim).and_then(parse);
            return parsed.ok_or_else(|| self.wrong(idx, text.map(|text| format!("{text:?}")), needed));
        }
        let number = self.column.i64().ok().and_then(|numbers| numbers.get(idx));
        let seconds = number.and_then(|number| match self.form {
            Form::Days => number.checked_mul(SECONDS_PER_DAY).and_then(time_column::within_calendar),
            Form::Ticks(per_second) => time_column::within_calendar(number.div_euclid(per_second)),
            _ => time_column::from_number(number),
        });
        let found = || number.map(|number| number.to_string());
        let seconds = seconds.ok_or_else(|| self.wrong(idx, found(), "a time of the calendar"))?;
        let Some(zones) = &self.midnights else { return Ok(seconds) };
        let found = || Timestamp::from_second(seconds).map(|time| time.to_string()).ok();
        time_column::from_midnight(seconds, zones)
            .ok_or_else(|| self.wrong(idx, found(), "a date: midnight in UTC or in New York"))
    }

    fn wrong(&self, idx: usize, found: Option<String>, needed: &str) -> Failure {
        let found: String = found.unwrap_or_else(|| "null".to_owned()).chars().take(40).collect();
        let Self { name, file, .. } = self;
        refused(ErrorCode::BadBars, format!("{file} row {}: {name} is {found}, needed {needed}", idx + 1), HINT)
    }
}

/// Returns the zone that a column names; UTC if it names none.
fn own_zone(name: Option<&str>, file: &str) -> Result<Vec<TimeZone>, Failure> {
    let Some(name) = name else { return Ok(vec![TimeZone::UTC]) };
    let zone = time_column::zone(name);
    let unknown = || refused(ErrorCode::BadBars, format!("{file} has times of the unknown zone {name:?}"), HINT);
    zone.map(|zone| vec![zone]).ok_or_else(unknown)
}
