//! The command-line flags that every command accepts.

use std::path::PathBuf;

use clap::Args;

/// Flags that override every other source.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// File of settings in `.env` syntax; overrides `./.env`, overridden by the environment
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Folder of plugins (PLUGINS_DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub plugins: Option<PathBuf>,
    /// Folder with the files SYMBOL.csv or SYMBOL.parquet (BARS_SOURCE=dir:DIR)
    #[arg(long, value_name = "DIR", global = true)]
    pub bars: Option<PathBuf>,
    /// Number of jobs that run at the same time (WORKER_CONCURRENCY)
    #[arg(long, value_name = "N", global = true)]
    // The value is parsed later, by the check of the configuration, so that an error is reported
    // together with all other problems.
    pub concurrency: Option<String>,
}
