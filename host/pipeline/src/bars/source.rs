//! The interface of a source of bars: rows per symbol, from files or the network.

use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

/// A place that bars are read from.
pub trait Source: Sync {
    /// Returns its name in a result: `dir` or `polygon`.
    fn name(&self) -> &'static str;

    /// Reads the rows of each symbol: one [`Reading`] per symbol, in the order of the request, the optional ones last.
    ///
    /// * `on_progress`: receives the progress, on any thread.
    ///
    /// # Errors
    /// `bad_bars` where a file is not a table of bars, `unreadable_bars` (retryable) where the file
    /// system or the network fails. An optional symbol that is missing is not an error.
    fn read(&self, wanted: &Wanted<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure>;

    /// Returns the failure of a job whose symbols have no bars here, with the available symbols: code `no_bars`.
    fn nothing(&self, symbols: &[String]) -> Failure;
}

/// A request for bars.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Symbols, safe as file names.
    pub symbols: &'a [String],
    /// Symbols that may be missing, such as benchmarks.
    pub optional: &'a [String],
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// How far back, for sources that read a span; others return all bars.
    pub reach: Reach,
}

/// How far back bars are requested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// A number of years back from now, and a number of bars before them.
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

/// Receives the progress of the reading.
pub type FetchProgressFn<'a> = dyn Fn(&FetchProgress) + Sync + 'a;

/// The progress of the reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchProgress {
    /// In words, such as `AAPL: page 3, 150000 bars, 24 s left`.
    pub message: String,
    /// The symbol that is read.
    pub symbol: String,
    /// Rows read so far, of all symbols.
    pub n_rows: usize,
    /// Pages fetched so far, of all symbols.
    pub n_pages: usize,
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// Estimated seconds left; `None` while there is no estimate.
    pub eta_s: Option<f64>,
}

/// The rows that a source has of one symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The symbol.
    pub symbol: String,
    /// Its rows; `None`, with a warning, where there are none.
    pub found: Option<Found>,
    /// Warnings for the result.
    pub warnings: Vec<Warning>,
}

/// Rows as they were found, in any order; their numbers are finite, and nothing else is checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Their origin, for messages: `AAPL.csv`, or `AAPL from Polygon`.
    pub origin: String,
    /// The unit of their numbers.
    pub unit: RowUnit,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The unit of row numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowUnit {
    /// Lines of a text file, the header being line 1.
    Line,
    /// Rows of a table, from 1.
    #[default]
    Row,
}

impl RowUnit {
    /// Returns the unit as messages spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Row => "row",
        }
    }
}

/// A bar as it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number of the row, in the [`RowUnit`] of its source.
    pub line: usize,
    /// Seconds since 1970-01-01 UTC.
    pub time: i64,
    /// Open, high, low, close, volume.
    pub values: [f64; 5],
}
