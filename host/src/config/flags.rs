//! The command-line flags that every command accepts.

use std::path::PathBuf;

use clap::Args;

/// Flags that override every other source.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// File of settings in `.env` syntax; stands below the environment and above `./.env`
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Folder of plugins (PLUGINS_DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub plugins: Option<PathBuf>,
    /// Folder of bars, SYMBOL.csv or SYMBOL.parquet (BARS_SOURCE=dir:DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub bars: Option<PathBuf>,
    /// Jobs at once (WORKER_CONCURRENCY)
    #[arg(long, value_name = "N", global = true)]
    pub concurrency: Option<String>,
}
