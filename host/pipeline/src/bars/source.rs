//! Where bars come from, as the pipeline sees it: rows by symbol, from whatever file or network.

use oculus_job::warning::Warning;
use oculus_job::{failure::Failure, request::Timeframe};

/// A place that bars are read from.
pub trait Source: Sync {
    /// Its name in a result: `dir` or `polygon`.
    fn name(&self) -> &'static str;

    /// Reads what it has of each symbol: one [`Reading`] a symbol, in the order asked, the optional ones last.
    ///
    /// * `hear`: told how far it is, from any thread.
    ///
    /// # Errors
    /// `bad_bars` where something is no table of bars, `unreadable_bars` (retryable) where the file system or the network
    /// fails. Never for what cannot be had of an optional symbol.
    fn read(&self, wanted: &Wanted<'_>, hear: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure>;

    /// That there are bars of none of these symbols, with what there is instead: code `no_bars`.
    fn nothing(&self, symbols: &[String]) -> Failure;
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Symbols, safe as file names.
    pub symbols: &'a [String],
    /// Symbols that it does without where they cannot be had, such as a benchmark.
    pub optional: &'a [String],
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// How far back, for a source that is asked for a span; others give all they have.
    pub reach: Reach,
}

/// How far back bars are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// So many years back from now, and so many bars before them.
    Back {
        /// Years.
        years: f64,
        /// Bars before.
        n_bars: usize,
    },
    /// From a session date on, days since 1970-01-01.
    From(i32),
    /// These session dates, ends included, days since 1970-01-01.
    Between(i32, i32),
}

/// Who hears how far the reading is.
pub type FetchProgressFn<'a> = dyn Fn(&FetchProgress) + Sync + 'a;

/// How far the reading is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchProgress {
    /// In words, such as `AAPL: page 3, 150000 bars, 24 s left`.
    pub message: String,
    /// The symbol that it is about.
    pub symbol: String,
    /// Rows read so far, of all symbols.
    pub n_rows: usize,
    /// Pages fetched so far, of all symbols.
    pub n_pages: usize,
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// Seconds left, as far as that can be told.
    pub eta_s: Option<f64>,
}

/// What a source has of one symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The symbol.
    pub symbol: String,
    /// Its rows; `None` where there are none, with a warning that says so.
    pub found: Option<Found>,
    /// What the reader of a result should know.
    pub warnings: Vec<Warning>,
}

/// Rows as they were found, in any order, unchecked but for being finite numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What they were read from, for messages: `AAPL.csv`, or `AAPL from Polygon`.
    pub origin: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A bar as it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Line of a CSV file, the header being line 1; else the row's number, from 1.
    pub line: usize,
    /// Seconds since 1970-01-01 UTC.
    pub time: i64,
    /// Open, high, low, close, volume.
    pub values: [f64; 5],
}
