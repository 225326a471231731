//! Reads bars from a folder with one file per symbol: `SYMBOL.parquet` or `SYMBOL.csv`.
//!
//! In: the path of the folder. Out: the rows of symbols. Invariant: if a symbol has files in both
//! formats, the Parquet file is read.

mod csv;

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{BarsRequest, FetchProgressFn, FoundRows, Reading, RowUnit, Source, listed, refused};

use crate::parquet;

/// Maximum number of files that an error message lists.
const MAX_LISTED_FILES: usize = 10;

/// A folder of files named `SYMBOL.csv` and `SYMBOL.parquet`.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the source. The folder need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns the symbols that have a file in the folder, sorted.
    ///
    /// # Errors
    /// Returns an [`io::Error`] if the folder cannot be read.
    pub fn symbols(&self) -> io::Result<Vec<String>> {
        let mut symbols = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let symbol = [".parquet", ".csv"].iter().find_map(|ending| name.strip_suffix(ending));
            symbols.extend(symbol.map(str::to_owned));
        }
        symbols.sort();
        symbols.dedup();
        Ok(symbols)
    }

    /// Reads the file of a symbol. If the file is missing, the reading has a warning and no rows.
    fn reading(&self, symbol: &str, timeframe: Timeframe) -> Result<Reading, JobError> {
        let csv_name = format!("{symbol}.csv");
        let csv_path = self.path.join(&csv_name);
        let parquet_name = format!("{symbol}.parquet");
        let parquet_path = self.path.join(&parquet_name);
        let symbol = symbol.to_owned();
        let has_csv = csv_path.is_file();
        if parquet_path.is_file() {
            let rows = parquet::read(&parquet_path, timeframe)?;
            let message = format!("{symbol} is read from {parquet_name}; {csv_name} is ignored");
            let warning = has_csv.then(|| Warning::new(WarningCode::TwoFiles, message));
            let found = FoundRows { origin: parquet_name, unit: RowUnit::Row, rows };
            return Ok(Reading { symbol, found: Some(found), warnings: warning.into_iter().collect() });
        }
        if has_csv {
            let found = FoundRows { origin: csv_name, unit: RowUnit::Line, rows: csv::read(&csv_path, timeframe)? };
            return Ok(Reading { symbol, found: Some(found), warnings: Vec::new() });
        }
        let warnings = vec![self.missing_file(&symbol)];
        Ok(Reading { symbol, found: None, warnings })
    }

    /// Returns the warning that a symbol has no file. If the folder has a symbol that differs only
    /// in case, the warning names it.
    fn missing_file(&self, symbol: &str) -> Warning {
        let similar = differing_in_case(symbol, &self.symbols().unwrap_or_default());
        let similar = similar.map(|similar| format!("; symbols are case-sensitive, and the folder has {similar}"));
        let folder = self.path.display();
        let similar = similar.unwrap_or_default();
        let message = format!("{symbol} is left out: {folder} has neither {symbol}.parquet nor {symbol}.csv{similar}");
        Warning::new(WarningCode::SymbolWithoutBars, message)
    }
}

impl Source for Folder {
    fn name(&self) -> &'static str {
        "dir"
    }

    fn read(&self, request: &BarsRequest<'_>, _: &FetchProgressFn<'_>) -> Result<Vec<Reading>, JobError> {
        let required = request.symbols.iter().map(|symbol| self.reading(symbol, request.timeframe));
        let optional = request.optional.iter().map(|symbol| {
            let read = self.reading(symbol, request.timeframe);
            // A benchmark must not fail the job, so its failure becomes a warning.
            Ok(read.unwrap_or_else(|failure| unreadable(symbol, &failure)))
        });
        required.chain(optional).collect()
    }

    fn no_bars_failure(&self, symbols: &[String]) -> JobError {
        let missing: Vec<String> =
            symbols.iter().take(MAX_LISTED_FILES).map(|symbol| format!("{symbol}.csv")).collect();
        let mut hint = "request symbols that the folder has, or put SYMBOL.csv or SYMBOL.parquet into it".to_owned();
        let message = match self.symbols() {
            Ok(found) if found.is_empty() => "which has no .csv or .parquet file".to_owned(),
            Ok(found) => {
                let similar: Vec<String> =
                    symbols.iter().filter_map(|symbol| differing_in_case(symbol, &found)).collect();
                if !similar.is_empty() {
                    hint = format!("symbols are case-sensitive: the folder has {}", listed(&similar));
                }
                format!("which has {}", listed(&found))
            }
            Err(error) => format!("which cannot be read: {error}"),
        };
        refused(ErrorCode::NoBars, format!("no {} in {}, {message}", missing.join(", "), self.path.display()), &hint)
    }
}

/// Returns the reading of an optional symbol whose file cannot be read: no rows, and a warning.
fn unreadable(symbol: &str, failure: &JobError) -> Reading {
    let message = format!("benchmark {symbol} is left out: {}", failure.message);
    let warnings = vec![Warning::new(WarningCode::BenchmarkLeftOut, message)];
    Reading { symbol: symbol.to_owned(), found: None, warnings }
}

/// Returns a symbol of the folder that differs from `symbol` only in upper and lower case.
fn differing_in_case(symbol: &str, found: &[String]) -> Option<String> {
    found.iter().find(|other| *other != symbol && other.eq_ignore_ascii_case(symbol)).cloned()
}
