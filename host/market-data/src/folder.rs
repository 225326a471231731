//! Reads bars from a folder with one file per symbol: `SYMBOL.parquet` or `SYMBOL.csv`.
//!
//! In: the path of the folder. Out: the rows of symbols. Invariant: if a symbol has files in both
//! formats, the Parquet file is read.

mod csv;

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::{Timeframe, is_symbol};
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{BarsRequest, FetchProgressFn, FoundRows, Reading, RowUnit, Source, listed, refused};

use crate::parquet;

/// Maximum number of files that an error message lists.
const MAX_LISTED_FILES: usize = 10;

/// The bar files of a folder.
#[derive(Clone, Debug, Default)]
struct Listing {
    symbols: Vec<String>,
    /// Names of files that are not hidden and whose names are not symbols.
    ignored: Vec<String>,
}

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

    /// Returns the symbols that have a file in the folder, sorted. Files whose names are not symbols
    /// are ignored, because no job can name them.
    ///
    /// # Errors
    /// Returns an [`io::Error`] if the folder cannot be read.
    pub fn symbols(&self) -> io::Result<Vec<String>> {
        Ok(self.listing()?.symbols)
    }

    /// Returns the names of visible bar files that are ignored because they are not symbols, such as
    /// `BRK B.csv`, sorted. Hidden files of an operating system or an office suite are not returned.
    ///
    /// # Errors
    /// Returns an [`io::Error`] if the folder cannot be read.
    pub fn ignored(&self) -> io::Result<Vec<String>> {
        Ok(self.listing()?.ignored)
    }

    fn listing(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let symbol = [".parquet", ".csv"].iter().find_map(|ending| name.strip_suffix(ending));
            match symbol {
                Some(symbol) if is_symbol(symbol) => listing.symbols.push(symbol.to_owned()),
                Some(_) if !name.starts_with('.') => listing.ignored.push(name),
                _ => {}
            }
        }
        listing.symbols.sort();
        listing.symbols.dedup();
        listing.ignored.sort();
        Ok(listing)
    }

    /// Reads the file of a symbol. If the file is missing, the reading has a warning and no rows.
    fn reading(&self, symbol: &str, timeframe: Timeframe) -> Result<Reading, JobError> {
        let csv_name = format!("{symbol}.csv");
        let parquet_name = format!("{symbol}.parquet");
        let symbol = symbol.to_owned();
        if let Some(path) = self.existing_file(&parquet_name)? {
            let rows = parquet::read(&path, timeframe)?;
            let message = format!("{symbol} is read from {parquet_name}; {csv_name} is ignored");
            let has_csv = self.path.join(&csv_name).is_file();
            let warning = has_csv.then(|| Warning::new(WarningCode::TwoFiles, message));
            let found = FoundRows { origin: parquet_name, unit: RowUnit::Row, rows };
            return Ok(Reading { symbol, found: Some(found), warnings: warning.into_iter().collect() });
        }
        if let Some(path) = self.existing_file(&csv_name)? {
            let found = FoundRows { origin: csv_name, unit: RowUnit::Line, rows: csv::read(&path, timeframe)? };
            return Ok(Reading { symbol, found: Some(found), warnings: Vec::new() });
        }
        let warnings = vec![self.missing_file(&symbol)];
        Ok(Reading { symbol, found: None, warnings })
    }

    /// Returns the path of a file, or `None` if there is no entry with its name.
    ///
    /// # Errors
    /// Returns `bad_bars` if the entry is a folder or a device, such as a table that Spark has
    /// written in parts.
    fn existing_file(&self, name: &str) -> Result<Option<PathBuf>, JobError> {
        let path = self.path.join(name);
        let kind = match path.metadata() {
            Ok(metadata) if metadata.is_file() => return Ok(Some(path)),
            Ok(metadata) if metadata.is_dir() => "a folder",
            Ok(_) => "a device",
            // A link to a missing file is returned as a file, so that the error of its reader names it.
            Err(_) => return Ok(path.is_symlink().then_some(path)),
        };
        let message = format!("{name} is {kind}, expected a file");
        let hint =
            "write all bars of a symbol into one file, such as with pandas.read_parquet(FOLDER).to_parquet(FILE)";
        Err(refused(ErrorCode::BadBars, message, hint))
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

    /// Describes a folder without bar files.
    fn without_symbols(&self) -> String {
        match self.ignored().unwrap_or_default().as_slice() {
            [] => "which has no .csv or .parquet file".to_owned(),
            names => format!("whose file names are not symbols: {}", listed(names)),
        }
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
            Ok(found) if found.is_empty() => self.without_symbols(),
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
