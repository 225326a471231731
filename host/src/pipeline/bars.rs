//! Market bars: read, validated, one series a symbol, cut to what the job looks at.
//!
//! In: a folder of `SYMBOL.csv` and the job. Out: a [`Market`], symbols in the job's order. Invariant: every series is
//! strictly ascending, finite and positive, with `low ≤ open, close ≤ high`.

mod csv;
mod cut;
#[cfg(test)]
mod tests;
mod validate;

use std::{
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{date::iso_date, splits::Span};
use crate::{
    hash::sha256_hex,
    job::{
        failure::Failure,
        progress::Phase,
        request::{Job, Timeframe},
    },
};

const SECONDS_A_DAY: i64 = 86_400;
/// Symbols of the folder that an error lists.
const MAX_LISTED_SYMBOLS: usize = 10;

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
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Which rows may have a label: `years` back from the newest bar.
    pub span: Span,
    /// Bars that a feature may need before its first value; features that need more are left out.
    pub warm_up_bars: usize,
    /// What was left out or shortened.
    pub warnings: Vec<Warning>,
    /// SHA-256 over the numbers of all bars used, whatever the format of their files; lower-case hex.
    pub sha256: String,
}

/// Reads the bars of a job's symbols and cuts them to its span.
///
/// * `lookback_rows`: rows up to and including its own that a prediction reads; so many bars more are kept.
///
/// # Errors
/// `no_bars` without any file, `bad_bars` for a file that is no table of sound bars, `too_few_bars` under 250 labelled
/// dates, `unreadable_bars` (retryable) when the file system fails.
pub fn load(folder: &Path, job: &Job, lookback_rows: usize) -> Result<Market, Failure> {
    let mut warnings = Vec::new();
    let mut series = Vec::new();
    for symbol in &job.symbols {
        match read(folder, symbol, job.timeframe)? {
            Some(bars) => series.push(bars),
            None => warnings.push(without_bars(folder, symbol)),
        }
    }
    if series.is_empty() {
        return Err(no_bars(folder, job));
    }
    cut::market(series, job, lookback_rows, warnings)
}

/// Reads all bars of one symbol; `None` where the folder has no file of it.
///
/// * `symbol`: safe as a file name, such as a job's.
///
/// # Errors
/// `bad_bars` for a file that is no table of sound bars, `unreadable_bars` (retryable) when the file system fails.
pub fn read(folder: &Path, symbol: &str, timeframe: Timeframe) -> Result<Option<Bars>, Failure> {
    let path = file_of(folder, symbol);
    if !path.is_file() {
        return Ok(None);
    }
    validate::sound(csv::read(&path, timeframe)?, symbol, timeframe).map(Some)
}

/// That a symbol has no file, with the one that may be meant.
pub fn without_bars(folder: &Path, symbol: &str) -> Warning {
    let meant = otherwise_cased(symbol, &symbols_in(folder).unwrap_or_default());
    let meant = meant.map(|meant| format!("; symbols are case-sensitive, and {meant} is there"));
    let path = file_of(folder, symbol);
    let message = format!("{symbol} is left out: no file {}{}", path.display(), meant.unwrap_or_default());
    Warning::new("symbol_without_bars", message)
}

fn file_of(folder: &Path, symbol: &str) -> PathBuf {
    folder.join(format!("{symbol}.csv"))
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
        self.time.iter().map(|&time| session_day(time, &zone)).collect()
    }

    /// The bars that start within a span, ends included, in seconds since 1970-01-01 UTC.
    pub fn within(&self, span: RangeInclusive<i64>) -> Self {
        let from = self.time.partition_point(|time| time < span.start());
        let to = self.time.partition_point(|time| time <= span.end());
        self.part(from..to.max(from))
    }

    /// SHA-256 over the symbol and all numbers, whatever the format of their file; lower-case hex.
    pub fn sha256(&self) -> String {
        sha256(std::slice::from_ref(self))
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
    let offset = Timestamp::from_second(time).map_or(0, |timestamp| i64::from(zone.to_offset(timestamp).seconds()));
    i32::try_from((time + offset).div_euclid(SECONDS_A_DAY)).unwrap_or(i32::MAX)
}

fn sha256(bars: &[Bars]) -> String {
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

fn refused(code: &str, message: String, hint: &str) -> Failure {
    Failure::refused(Phase::DataFetch, code, message, hint)
}

fn no_bars(folder: &Path, job: &Job) -> Failure {
    let looked_for: Vec<String> =
        job.symbols.iter().take(MAX_LISTED_SYMBOLS).map(|symbol| format!("{symbol}.csv")).collect();
    let mut hint = "ask for symbols that are there, or put SYMBOL.csv into the folder".to_owned();
    let message = match symbols_in(folder) {
        Ok(found) if found.is_empty() => "which holds no .csv file".to_owned(),
        Ok(found) => {
            let meant: Vec<String> = job.symbols.iter().filter_map(|symbol| otherwise_cased(symbol, &found)).collect();
            if !meant.is_empty() {
                hint = format!("symbols are case-sensitive: the folder has {}", listed(&meant));
            }
            format!("which holds {}", listed(&found))
        }
        Err(error) => format!("which cannot be read: {error}"),
    };
    refused("no_bars", format!("no {} in {}, {message}", looked_for.join(", "), folder.display()), &hint)
}

/// The symbol of the folder that differs in upper and lower case alone.
fn otherwise_cased(symbol: &str, found: &[String]) -> Option<String> {
    found.iter().find(|other| *other != symbol && other.eq_ignore_ascii_case(symbol)).cloned()
}

fn symbols_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut symbols = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        symbols.extend(name.strip_suffix(".csv").map(str::to_owned));
    }
    symbols.sort();
    Ok(symbols)
}

fn listed(symbols: &[String]) -> String {
    let more = symbols.len().saturating_sub(MAX_LISTED_SYMBOLS);
    let names = symbols[..symbols.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
