//! Where market bars come from: a folder of files, or Polygon's market data behind a cache.
//!
//! In: what the configuration says. Out: a [`Source`] for the pipeline, which knows no file and no network.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use oculus_pipeline::bars::Source;

mod config;
pub mod folder;
pub mod parquet;
pub mod polygon;
pub mod synth;
pub mod time_column;
pub mod tls;

pub use self::config::PolygonConfig;

/// A configured source, ready to be opened in another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarsPlace {
    /// A folder of `SYMBOL.csv` or `SYMBOL.parquet`.
    Folder(PathBuf),
    /// Polygon's market data, kept in a cache.
    Polygon(PolygonConfig),
}

impl BarsPlace {
    /// The source of this place, as it is at this moment.
    pub fn open(&self) -> Box<dyn Source> {
        match self {
            Self::Folder(path) => Box::new(folder::Folder::new(path)),
            Self::Polygon(config) => Box::new(polygon::Polygon::new(config, jiff::Timestamp::now())),
        }
    }
}
