//! The interface of a source of bars, such as a folder of files or Polygon.

use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

/// A source that bars are read from.
pub trait Source: Sync {
    /// Returns the name of the source that results state: `dir` or `polygon`.
    fn name(&self) -> &'static str;

    /// Reads the rows of each symbol. Returns one [`Reading`] per symbol, in the order of the
    /// request, with the optional symbols last.
    ///
    /// * `on_progress`: receives the progress; any thread may call it.
    ///
    /// # Errors
    /// Returns `bad_bars` if a file is not a table of bars, or `unreadable_bars` (retryable) if the
    /// file system or the network fails. An optional symbol that is missing is not an error.
    fn read(&self, request: &BarsRequest<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Vec<Reading>, JobError>;

    /// Returns the failure of a job if this source has no bars of its symbols. The failure has the
    /// code `no_bars` and states the symbols that are available.
    fn no_bars_failure(&self, symbols: &[String]) -> JobError;
}

/// A request for bars.
#[derive(Clone, Copy, Debug)]
pub struct BarsRequest<'a> {
    /// Symbols. Each symbol is safe as a file name.
    pub symbols: &'a [String],
    /// Symbols that may be missing in the source, such as benchmarks.
    pub optional: &'a [String],
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// Time range to read. A source that does not support ranges returns all bars.
    pub range: TimeRange,
}

/// The time range of requested bars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeRange {
    /// The last `years` years until now, and the `n_bars` bars before these years.
    Back {
        /// Number of years until now.
        years: f64,
        /// Number of bars before those years.
        n_bars: usize,
    },
    /// All bars from a session date on. The date is in days since 1970-01-01.
    From(i32),
    /// All bars from the first session date to the second, both included. The dates are in days
    /// since 1970-01-01.
    Between(i32, i32),
}

/// A callback that receives the progress of reading bars.
pub type FetchProgressFn<'a> = dyn Fn(&FetchProgress) + Sync + 'a;

/// The progress of reading bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchProgress {
    /// Message for people, such as `AAPL: page 3, 150000 bars, 24 s left`.
    pub message: String,
    /// Symbol that is being read.
    pub symbol: String,
    /// Number of rows read so far, of all symbols.
    pub n_rows: usize,
    /// Number of pages fetched so far, of all symbols.
    pub n_pages: usize,
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// Estimated remaining time in seconds; `None` while there is no estimate.
    pub eta_s: Option<f64>,
}

/// The result of reading one symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Ticker.
    pub symbol: String,
    /// Rows of the symbol. If the source has no rows of the symbol, this is `None` and `warnings`
    /// has a warning.
    pub found: Option<FoundRows>,
    /// Warnings for the result.
    pub warnings: Vec<Warning>,
}

/// Rows of one symbol before validation, in any order. Their numbers are finite, but not checked in
/// any other way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundRows {
    /// Origin of the rows, for messages: `AAPL.csv`, or `AAPL from Polygon`.
    pub origin: String,
    /// Unit of the row numbers in `rows`.
    pub unit: RowUnit,
    /// Rows in the order of the source.
    pub rows: Vec<Row>,
}

/// The unit of row numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowUnit {
    /// Lines of a text file; the header is line 1.
    Line,
    /// Rows of a table; the first is row 1.
    #[default]
    Row,
}

impl RowUnit {
    /// Returns the name of the unit in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Row => "row",
        }
    }
}

/// A bar before validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number of the row, counted in the [`RowUnit`] of its source.
    pub line: usize,
    /// Start of the bar, seconds since 1970-01-01 UTC.
    pub time: i64,
    /// Open, high, low, close, volume.
    pub values: [f64; 5],
}
