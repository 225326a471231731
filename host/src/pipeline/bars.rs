//! Market bars: read, validated, one series a symbol, cut to what the job looks at.
//!
//! In: a source of bars and the job. Out: a [`Market`], symbols in the job's order. Invariant: every series is
//! strictly ascending, finite and positive, with `low ≤ open, close ≤ high`.

mod benchmarks;
mod cut;
mod source;
#[cfg(test)]
mod tests;
mod validate;

use std::ops::{Range, RangeInclusive};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

pub use self::source::{FetchNews, Found, Hear, Reach, Reading, Row, Source, Wanted};
pub use self::validate::{
    Finding, FindingKind, Inspection, Place, Severity, Split, inspect, missing_days, suspected_splits,
};
use super::{date::iso_date, features, splits::Span};
use crate::{
    hash::sha256_hex,
    job::{
        failure::Failure,
        progress::Phase,
        request::{Job, Timeframe},
    },
};

const SECONDS_A_DAY: i64 = 86_400;
/// The bars of one symbol, oldest first; all vectors have one entry a bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Ticker.
    pub symbol: String,
    /// Start of the bar, seconds since 1970-01-01 UTC (daily bars: midnight UTC of their date). Strictly ascending.
    pub time: Vec<i64>,
    /// First price.
    pub open: Vec<f64>,
    /// Highest price.
    pub high: Vec<f64>,
    /// Lowest price.
    pub low: Vec<f64>,
    /// Last price.
    pub close: Vec<f64>,
    /// Shares traded.
    pub volume: Vec<f64>,
}

/// Something that the reader of a result should know; the job went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable word for programs, such as `warm_up_shortened`.
    pub code: String,
    /// What happened and what was done about it.
    pub message: String,
}

/// All bars that a job uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// One series a symbol, in the job's order of symbols.
    pub bars: Vec<Bars>,
    /// Series that features compare with, whole as far as the others reach.
    pub benchmarks: Vec<Bars>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Which rows may have a label: `years` back from the newest bar.
    pub span: Span,
    /// Bars that a feature may need before its first value; features that need more are left out.
    pub warm_up_bars: usize,
    /// What was left out or shortened.
    pub warnings: Vec<Warning>,
    /// SHA-256 over the numbers of all bars used, benchmarks last, whatever the format of their files; lower-case hex.
    pub sha256: String,
}

/// Reads the bars of a job's symbols and cuts them to its span; and those of the benchmarks that features compare with,
/// where there are any.
///
/// * `lookback_rows`: rows up to and including its own that a prediction reads; so many bars more are kept.
/// * `hear`: told how far the reading is.
///
/// # Errors
/// `no_bars` where the source has none of the symbols, `bad_bars` for one whose bars are not sound, `too_few_bars` under
/// 250 labelled dates, and those of [`Source::read`].
pub fn load(source: &dyn Source, job: &Job, lookback_rows: usize, hear: &Hear<'_>) -> Result<Market, Failure> {
    let reach = Reach::Back { years: job.design.years, n_bars: cut::WARM_UP_BARS + lookback_rows };
    let compared = features::benchmarks(job);
    let optional: Vec<String> = compared.iter().filter(|symbol| !job.symbols.contains(symbol)).cloned().collect();
    let wanted = Wanted { symbols: &job.symbols, optional: &optional, timeframe: job.timeframe, reach };
    let mut warnings = Vec::new();
    let (mut series, mut besides) = (Vec::new(), Vec::new());
    for reading in source.read(&wanted, hear)? {
        if optional.contains(&reading.symbol) {
            besides.extend(benchmarks::read(reading, job.timeframe, &mut warnings));
        } else {
            series.extend(sound(reading, job.timeframe, &mut warnings)?);
        }
    }
    if series.is_empty() {
        return Err(source.nothing(&job.symbols));
    }
    besides.extend(series.iter().filter(|bars| compared.contains(&bars.symbol)).cloned());
    let mut market = cut::market(series, job, lookback_rows, warnings)?;
    benchmarks::add(&mut market, besides);
    Ok(market)
}

/// What was read of a symbol as a sound series; what the reader should know goes to `warnings`.
///
/// # Errors
/// `bad_bars` where the rows are no sound bars.
pub fn sound(reading: Reading, timeframe: Timeframe, warnings: &mut Vec<Warning>) -> Result<Option<Bars>, Failure> {
    warnings.extend(reading.warnings);
    let Some(found) = reading.found else { return Ok(None) };
    let inspection = inspect(found, &reading.symbol, timeframe);
    if let Some(refusal) = inspection.refusal() {
        return Err(refusal);
    }
    warnings.extend(inspection.warnings());
    Ok(Some(inspection.bars))
}

/// The column that says when a bar is, in files of bars as in those that are written.
pub fn time_column(timeframe: Timeframe) -> &'static str {
    if timeframe.is_intraday() { "timestamp" } else { "date" }
}

/// When a bar is, as its file says it: its date, or the UTC time at which an intraday bar starts.
///
/// * `time`: start of the bar, seconds since 1970-01-01 UTC.
pub fn moment(time: i64, timeframe: Timeframe) -> String {
    if timeframe.is_intraday() {
        return Timestamp::from_second(time).map_or_else(|_| time.to_string(), |time| time.to_string());
    }
    iso_date(session_day(time, &session_zone(timeframe)))
}

impl Bars {
    /// Number of bars.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Session date of each bar, days since 1970-01-01: the bar's own date, or New York's at the start of an intraday
    /// bar, so that an extended session does not end at midnight UTC.
    pub fn session_days(&self, timeframe: Timeframe) -> Vec<i32> {
        let zone = session_zone(timeframe);
        // A zone keeps its offset for months: asked of every bar it would take longer than most features.
        let (mut unchanged, mut offset_s) = (0..0, 0);
        let day = |&time: &i64| {
            if !unchanged.contains(&time) {
                (unchanged, offset_s) = (time..next_change(time, &zone), offset_s_at(time, &zone));
            }
            day_of(time + offset_s)
        };
        self.time.iter().map(day).collect()
    }

    /// The bars that start within a span, ends included, in seconds since 1970-01-01 UTC.
    pub fn within(&self, span: RangeInclusive<i64>) -> Self {
        let from = self.time.partition_point(|time| time < span.start());
        let to = self.time.partition_point(|time| time <= span.end());
        self.part(from..to.max(from))
    }

    /// SHA-256 over the symbol and all numbers, whatever the format of their file; lower-case hex.
    pub fn sha256(&self) -> String {
        sha256([self])
    }

    /// The bars from one index on.
    fn skip(&self, n_bars: usize) -> Self {
        self.part(n_bars..self.len())
    }

    fn part(&self, bars: Range<usize>) -> Self {
        let part = |values: &[f64]| values[bars.clone()].to_vec();
        Self {
            symbol: self.symbol.clone(),
            time: self.time[bars.clone()].to_vec(),
            open: part(&self.open),
            high: part(&self.high),
            low: part(&self.low),
            close: part(&self.close),
            volume: part(&self.volume),
        }
    }
}

impl Warning {
    /// A warning.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// Whose midnight ends a session: daily bars carry their date as if it were UTC's.
fn session_zone(timeframe: Timeframe) -> TimeZone {
    if !timeframe.is_intraday() {
        return TimeZone::UTC;
    }
    TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
}

fn session_day(time: i64, zone: &TimeZone) -> i32 {
    day_of(time + offset_s_at(time, zone))
}

/// Seconds that a zone's clocks are ahead of UTC.
fn offset_s_at(time: i64, zone: &TimeZone) -> i64 {
    Timestamp::from_second(time).map_or(0, |timestamp| i64::from(zone.to_offset(timestamp).seconds()))
}

/// When a zone's clocks are changed next; never, if that is not known.
fn next_change(time: i64, zone: &TimeZone) -> i64 {
    let change = Timestamp::from_second(time).ok().and_then(|timestamp| zone.following(timestamp).next());
    change.map_or(i64::MAX, |change| change.timestamp().as_second())
}

fn day_of(local_time: i64) -> i32 {
    i32::try_from(local_time.div_euclid(SECONDS_A_DAY)).unwrap_or(i32::MAX)
}

fn sha256<'a>(bars: impl IntoIterator<Item = &'a Bars>) -> String {
    let mut bytes = Vec::new();
    for bars in bars {
        bytes.extend((bars.symbol.len() as u64).to_le_bytes());
        bytes.extend(bars.symbol.as_bytes());
        bytes.extend((bars.len() as u64).to_le_bytes());
        bytes.extend(bars.time.iter().flat_map(|time| time.to_le_bytes()));
        for values in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    sha256_hex(&bytes)
}

/// That something about the bars is not as it must be.
pub(crate) fn refused(code: &str, message: String, hint: &str) -> Failure {
    Failure::refused(Phase::DataFetch, code, message, hint)
}

/// Symbols for a message: the first few, and how many more.
pub(crate) fn listed(symbols: &[String]) -> String {
    const MOST: usize = 10;
    let more = symbols.len().saturating_sub(MOST);
    let names = symbols[..symbols.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
