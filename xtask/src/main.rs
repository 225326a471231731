//! `cargo xtask`: set-up, plugins, demo and tests of the project, each one command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod archive;
mod bench;
mod cargo;
mod demo;
mod docs;
mod plugins;
mod server;
mod setup;
mod shell;
mod test;

/// Set-up, plugins, demo and tests of oculus-host.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch the native tools the build needs (CMake, libclang, redis-server); does nothing if all are installed.
    #[command(after_help = "Example: cargo xtask setup")]
    Setup,
    /// Build plugins and publish them into `./plugins/<id>/`.
    #[command(after_help = "Examples:\n  cargo xtask plugins lightgbm\n  cargo xtask plugins --to /srv/oculus/plugins")]
    Plugins {
        /// Plugins to build; all of them if none is named.
        names: Vec<String>,
        /// Folder of plugins to publish into, instead of `./plugins`.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Write the generated pages of `docs/`.
    #[command(after_help = "Example: cargo xtask docs")]
    Docs,
    /// Send one real job through a private Redis and a worker, and show progress and result.
    #[command(after_help = "Example: cargo xtask demo")]
    Demo,
    /// Measure, and write the tables of `docs/benchmarks.md`.
    #[command(after_help = "Example: cargo xtask bench features")]
    Bench {
        /// What to measure.
        what: bench::Bench,
    },
    /// Build this platform's binary of plugin API 1.0, which later hosts have to load; once per platform.
    #[command(after_help = "Example: cargo xtask archive")]
    Archive,
    /// Set up and run every test.
    #[command(after_help = "Example: cargo xtask test")]
    Test,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup => setup::run(),
        Task::Plugins { names, to } => {
            setup::run()?;
            to.map_or_else(|| plugins::publish(&names), |folder| plugins::publish_into(&folder, &names))
        }
        Task::Docs => {
            setup::run()?;
            docs::write()
        }
        Task::Demo => demo::run(),
        Task::Bench { what } => bench::measure(what),
        Task::Archive => archive::build(),
        Task::Test => test::run(),
    }
}
