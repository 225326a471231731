//! Reads bars from the configured source for commands, one symbol at a time.

use anyhow::bail;
use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;
use oculus_market_data::{SourceConfig, folder::Folder};
use oculus_pipeline::bars::{BarsRequest, Inspection, Source, TimeRange, inspect, listed};

use crate::cli::failure::failure_error;
use crate::config::Config;
use crate::runner::spec::JobResources;

/// A reader of bars from the configured source.
pub(super) struct Reader {
    source_config: SourceConfig,
    source: Box<dyn Source>,
    timeframe: Timeframe,
    range: TimeRange,
}

/// The bars of one symbol and the findings about them.
pub(super) struct InspectedSymbol {
    /// The symbol.
    pub symbol: String,
    /// The bars and the findings, or the failure if the bars cannot be read. `Err(None)` means that
    /// the symbol has no bars.
    pub inspection: Result<Inspection, Option<JobError>>,
    /// The warnings that the source returned with the bars.
    pub warnings: Vec<Warning>,
}

impl Reader {
    /// Opens the configured source.
    ///
    /// * `range`: the period to request from Polygon; a folder returns all its bars.
    ///
    /// # Errors
    /// Returns an error if no source is configured or its folder does not exist.
    pub(super) fn open(config: &Config, timeframe: Timeframe, range: TimeRange) -> anyhow::Result<Self> {
        let source_config = JobResources::from_config(&config.jobs, "bars").map_err(failure_error)?.bars;
        let source = source_config.open();
        Ok(Self { source_config, source, timeframe, range })
    }

    /// Returns the named symbols, or all symbols of the folder if none are named.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read or contains no bars. Also returns an error if
    /// no symbols are named and the source is Polygon, which has too many symbols to list.
    pub(super) fn symbols(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        match &self.source_config {
            SourceConfig::Folder(path) => {
                let folder = Folder::new(path);
                let symbols = folder.symbols()?;
                let ignored = folder.ignored()?;
                if !ignored.is_empty() {
                    tracing::warn!("ignored because the names are not symbols: {}", listed(&ignored));
                }
                if symbols.is_empty() {
                    bail!("{} contains no file named SYMBOL.csv or SYMBOL.parquet", path.display());
                }
                Ok(symbols)
            }
            SourceConfig::Polygon(_) => bail!("bars come from Polygon: name the symbols to read, such as AAPL"),
        }
    }

    /// Reads and inspects the bars of a symbol.
    ///
    /// # Errors
    /// Returns an error if the file system or the network fails. Bars that cannot be parsed are not
    /// an error; they are part of the returned value.
    pub(super) fn inspect(&self, symbol: &str) -> anyhow::Result<InspectedSymbol> {
        let symbols = [symbol.to_owned()];
        let request = BarsRequest { symbols: &symbols, optional: &[], timeframe: self.timeframe, range: self.range };
        let readings = match self.source.read(&request, &|progress| tracing::info!("{}", progress.message)) {
            Ok(readings) => readings,
            // A file that cannot be parsed concerns only one symbol, so the commands continue with
            // the next symbol.
            Err(failure) if failure.code == ErrorCode::BadBars => {
                return Ok(InspectedSymbol {
                    symbol: symbol.to_owned(),
                    inspection: Err(Some(failure)),
                    warnings: Vec::new(),
                });
            }
            Err(failure) => return Err(failure_error(failure)),
        };
        let Some(reading) = readings.into_iter().next() else {
            return Err(failure_error(self.source.no_bars_failure(&symbols)));
        };
        let inspection = reading.found.map(|found| inspect(found, symbol, self.timeframe)).ok_or(None);
        Ok(InspectedSymbol { symbol: symbol.to_owned(), inspection, warnings: reading.warnings })
    }

    /// Returns the failure which states that none of the symbols has bars.
    pub(super) fn no_bars_failure(&self, symbols: &[String]) -> JobError {
        self.source.no_bars_failure(symbols)
    }
}
