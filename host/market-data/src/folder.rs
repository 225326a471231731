//! A folder of bars with one file per symbol: `SYMBOL.parquet` or `SYMBOL.csv`.
//!
//! In: the path of the folder. Out: the rows of symbols. Invariant: if a symbol has both files, the
//! Parquet file is read.

mod csv;

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{FetchProgressFn, Found, Reading, RowUnit, Source, Wanted, listed, refused};

use crate::parquet;

/// Files that an error lists at most.
const MAX_LISTED_FILES: usize = 10;

/// A folder of `SYMBOL.csv` and `SYMBOL.parquet`.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the source of a folder, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns the symbols that have a file in the folder, sorted.
    ///
    /// # Errors
    /// The file system's own.
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

    fn reading(&self, symbol: &str, timeframe: Timeframe) -> Result<Reading, Failure> {
        let csv_name = format!("{symbol}.csv");
        let csv_path = self.path.join(&csv_name);
        let parquet_name = format!("{symbol}.parquet");
        let parquet_path = self.path.join(&parquet_name);
        let symbol = symbol.to_owned();
        let has_csv = csv_path.is_file();
        if parquet_path.is_file() {
            let rows = parquet::read(&parquet_path, timeframe)?;
            let message = format!("{symbol} is read from {parquet_name}; {csv_name} beside it is not looked at");
            let warning = has_csv.then(|| Warning::new(WarningCode::TwoFiles, message));
            let found = Found { origin: parquet_name, unit: RowUnit::Row, rows };
            return Ok(Reading { symbol, found: Some(found), warnings: warning.into_iter().collect() });
        }
        if has_csv {
            let found = Found { origin: csv_name, unit: RowUnit::Line, rows: csv::read(&csv_path, timeframe)? };
            return Ok(Reading { symbol, found: Some(found), warnings: Vec::new() });
        }
        let warnings = vec![self.without(&symbol)];
        Ok(Reading { symbol, found: None, warnings })
    }

    /// Returns the warning that a symbol has no file, with the symbol that may be meant.
    fn without(&self, symbol: &str) -> Warning {
        let meant = otherwise_cased(symbol, &self.symbols().unwrap_or_default());
        let meant = meant.map(|meant| format!("; symbols are case-sensitive, and {meant} is there"));
        let path = self.path.join(format!("{symbol}.csv"));
        let meant = meant.unwrap_or_default();
        let message = format!("{symbol} is left out: no file {}, nor one of .parquet{meant}", path.display());
        Warning::new(WarningCode::SymbolWithoutBars, message)
    }
}

impl Source for Folder {
    fn name(&self) -> &'static str {
        "dir"
    }

    fn read(&self, wanted: &Wanted<'_>, _: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure> {
        let needed = wanted.symbols.iter().map(|symbol| self.reading(symbol, wanted.timeframe));
        let optional = wanted.optional.iter().map(|symbol| {
            let read = self.reading(symbol, wanted.timeframe);
            Ok(read.unwrap_or_else(|failure| unreadable(symbol, &failure)))
        });
        needed.chain(optional).collect()
    }

    fn nothing(&self, symbols: &[String]) -> Failure {
        let looked_for: Vec<String> =
            symbols.iter().take(MAX_LISTED_FILES).map(|symbol| format!("{symbol}.csv")).collect();
        let mut hint = "ask for symbols that are there, or put SYMBOL.csv or SYMBOL.parquet into the folder".to_owned();
        let message = match self.symbols() {
            Ok(found) if found.is_empty() => "which holds no .csv or .parquet file".to_owned(),
            Ok(found) => {
                let meant: Vec<String> = symbols.iter().filter_map(|symbol| otherwise_cased(symbol, &found)).collect();
                if !meant.is_empty() {
                    hint = format!("symbols are case-sensitive: the folder has {}", listed(&meant));
                }
                format!("which holds {}", listed(&found))
            }
            Err(error) => format!("which cannot be read: {error}"),
        };
        refused(ErrorCode::NoBars, format!("no {} in {}, {message}", looked_for.join(", "), self.path.display()), &hint)
    }
}

/// Returns the reading of an optional symbol whose file is not a table of bars.
fn unreadable(symbol: &str, failure: &Failure) -> Reading {
    let message = format!("{symbol} is done without: {}", failure.message);
    let warnings = vec![Warning::new(WarningCode::BenchmarkLeftOut, message)];
    Reading { symbol: symbol.to_owned(), found: None, warnings }
}

/// Returns the symbol of the folder that differs only in upper and lower case.
fn otherwise_cased(symbol: &str, found: &[String]) -> Option<String> {
    found.iter().find(|other| *other != symbol && other.eq_ignore_ascii_case(symbol)).cloned()
}
