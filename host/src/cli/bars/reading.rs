//! The bars that commands look at: those of the configured source, a symbol at a time.

use anyhow::{anyhow, bail};
use oculus_job::code::ErrorCode;
use oculus_job::warning::Warning;

use crate::config::Config;
use crate::runner::spec::JobResources;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_market_data::{BarsPlace, folder::Folder};
use oculus_pipeline::bars::{Inspection, Reach, Source, Wanted, inspect};

/// The configured source.
pub(super) struct Reader {
    place: BarsPlace,
    source: Box<dyn Source>,
    timeframe: Timeframe,
    reach: Reach,
}

/// One symbol.
pub(super) struct Seen {
    /// The symbol.
    pub symbol: String,
    /// Its bars with what was found about them; else why they cannot be read as bars, `None` where there are none.
    pub inspection: Result<Inspection, Option<Failure>>,
    /// What the source says of it.
    pub warnings: Vec<Warning>,
}

impl Reader {
    /// Opens the source.
    ///
    /// * `reach`: how far back, for a source that is asked for a span.
    ///
    /// # Errors
    /// Where no source is configured, or it is not there.
    pub(super) fn open(config: &Config, timeframe: Timeframe, reach: Reach) -> anyhow::Result<Self> {
        let place = JobResources::from_config(&config.jobs, "bars").map_err(said)?.bars;
        let source = place.open();
        Ok(Self { place, source, timeframe, reach })
    }

    /// The symbols asked for; all of a folder where none is.
    ///
    /// # Errors
    /// Where the folder cannot be read or has none, and for a network, which has too many.
    pub(super) fn symbols(&self, asked: &[String]) -> anyhow::Result<Vec<String>> {
        if !asked.is_empty() {
            return Ok(asked.to_vec());
        }
        match &self.place {
            BarsPlace::Folder(path) => {
                let symbols = Folder::new(path).symbols()?;
                if symbols.is_empty() {
                    bail!("{} holds no .csv or .parquet file", path.display());
                }
                Ok(symbols)
            }
            BarsPlace::Polygon(_) => bail!("say which symbols of Polygon are meant, such as AAPL"),
        }
    }

    /// A symbol, read and looked at.
    ///
    /// # Errors
    /// Where the file system or the network fails.
    pub(super) fn see(&self, symbol: &str) -> anyhow::Result<Seen> {
        let symbols = [symbol.to_owned()];
        let wanted = Wanted { symbols: &symbols, optional: &[], timeframe: self.timeframe, reach: self.reach };
        let readings = match self.source.read(&wanted, &|news| tracing::info!("{}", news.message)) {
            Ok(readings) => readings,
            Err(failure) if failure.code == ErrorCode::BadBars => {
                return Ok(Seen { symbol: symbol.to_owned(), inspection: Err(Some(failure)), warnings: Vec::new() });
            }
            Err(failure) => return Err(said(failure)),
        };
        let Some(reading) = readings.into_iter().next() else { return Err(said(self.source.nothing(&symbols))) };
        let inspection = reading.found.map(|found| inspect(found, symbol, self.timeframe)).ok_or(None);
        Ok(Seen { symbol: symbol.to_owned(), inspection, warnings: reading.warnings })
    }

    /// That there are bars of none of these.
    pub(super) fn nothing(&self, symbols: &[String]) -> Failure {
        self.source.nothing(symbols)
    }
}

fn said(failure: Failure) -> anyhow::Error {
    anyhow!("{failure}; {}", failure.hint)
}
