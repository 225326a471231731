//! Sources of market bars: a folder of files, Polygon's market data behind a cache, and a generator
//! of synthetic bars.
//!
//! In: the configuration of a source. Out: a [`Source`] for the pipeline, which itself uses no file
//! and no network.
//! Invariant: bars that cannot be read are a [`Failure`](oculus_job::failure::Failure) with a code.
//! Only the functions that write bars return the error of their writer.

mod config;
pub mod folder;
pub mod http;
pub mod parquet;
pub mod polygon;
pub mod synth;
pub mod table_writer;
pub mod time_column;
pub mod tls;

use std::path::PathBuf;

use oculus_pipeline::bars::Source;
use serde::{Deserialize, Serialize};

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
    /// Opens the source of this place, as it is at the current time.
    pub fn open(&self) -> Box<dyn Source> {
        match self {
            Self::Folder(path) => Box::new(folder::Folder::new(path)),
            Self::Polygon(config) => Box::new(polygon::Polygon::new(config, jiff::Timestamp::now())),
        }
    }
}
