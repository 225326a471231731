//! Reads the bars of the configured source for commands, one symbol at a time.

use anyhow::bail;
use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;
use oculus_market_data::{BarsPlace, folder::Folder};
use oculus_pipeline::bars::{Inspection, Reach, Source, Wanted, inspect};

use crate::cli::failure::failure_error;
use crate::config::Config;
use crate::runner::spec::JobResources;

/// A reader of the configured source.
pub(super) struct Reader {
    place: BarsPlace,
    source: Box<dyn Source>,
    timeframe: Timeframe,
    reach: Reach,
}

/// The bars of one symbol, with what was found about them.
pub(super) struct InspectedSymbol {
    /// The symbol.
    pub symbol: String,
    /// The bars and findings; or why they cannot be read as bars, with `None` if there are no bars.
    pub inspection: Result<Inspection, Option<Failure>>,
    /// The warnings of the source.
    pub warnings: Vec<Warning>,
}

impl Reader {
    /// Opens the source.
    ///
    /// * `reach`: the span to request, for a source that takes one.
    ///
    /// # Errors
    /// No source is configured, or it does not exist.
    pub(super) fn open(config: &Config, timeframe: Timeframe, reach: Reach) -> anyhow::Result<Self> {
        let place = JobResources::from_config(&config.jobs, "bars").map_err(failure_error)?.bars;
        let source = place.open();
        Ok(Self { place, source, timeframe, reach })
    }

    /// Returns the named symbols, or all symbols of a folder if none are named.
    ///
    /// # Errors
    /// The folder cannot be read or is empty; or the source is a network, which has too many symbols to list.
    pub(super) fn symbols(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        match &self.place {
            BarsPlace::Folder(path) => {
                let symbols = Folder::new(path).symbols()?;
                if symbols.is_empty() {
                    bail!("{} holds no .csv or .parquet file", path.display());
                }
                Ok(symbols)
            }
            BarsPlace::Polygon(_) => bail!("name the symbols of Polygon to read, such as AAPL"),
        }
    }

    /// Reads and inspects the bars of a symbol.
    ///
    /// # Errors
    /// The file system or the network fails.
    pub(super) fn inspect(&self, symbol: &str) -> anyhow::Result<InspectedSymbol> {
        let symbols = [symbol.to_owned()];
        let wanted = Wanted { symbols: &symbols, optional: &[], timeframe: self.timeframe, reach: self.reach };
        let readings = match self.source.read(&wanted, &|progress| tracing::info!("{}", progress.message)) {
            Ok(readings) => readings,
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
            return Err(failure_error(self.source.nothing(&symbols)));
        };
        let inspection = reading.found.map(|found| inspect(found, symbol, self.timeframe)).ok_or(None);
        Ok(InspectedSymbol { symbol: symbol.to_owned(), inspection, warnings: reading.warnings })
    }

    /// Returns the failure that there are no bars of any of these symbols.
    pub(super) fn nothing(&self, symbols: &[String]) -> Failure {
        self.source.nothing(symbols)
    }
}
