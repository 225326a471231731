//! Sources of market bars: a folder of files, Polygon's market data with a cache, and a generator
//! of synthetic bars.
//!
//! In: the configuration of a source. Out: a [`Source`] for the pipeline. The pipeline itself
//! accesses neither files nor the network. Invariant: if bars cannot be read, the error is a
//! [`JobError`](oculus_job::error::JobError) with a code. Functions that write bars return the
//! error of their writer.

mod columns;
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

/// The configuration of a source of bars. The worker sends it to the job process, which opens the
/// source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfig {
    /// A folder of files named `SYMBOL.csv` or `SYMBOL.parquet`.
    Folder(PathBuf),
    /// Polygon's market data, with a cache.
    Polygon(PolygonConfig),
}

impl SourceConfig {
    /// Opens the source. The source of Polygon reads only days that are over at the time of this
    /// call.
    pub fn open(&self) -> Box<dyn Source> {
        match self {
            Self::Folder(path) => Box::new(folder::Folder::new(path)),
            Self::Polygon(config) => Box::new(polygon::Polygon::new(config, jiff::Timestamp::now())),
        }
    }
}
