//! `cargo xtask`: the development tasks of the project, one command per task.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod archive;
mod bench;
mod capture;
mod cargo;
mod chaos;
mod check;
mod demo;
mod diagrams;
mod docs;
mod examples;
mod plugins;
mod server;
mod setup;
mod shell;
mod test;

/// Development tasks of oculus-host
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the native tools that the build and the tests need
    ///
    /// Installs CMake, libclang and libtorch into .tools/, and redis-server as a system package.
    /// Installed tools are not touched.
    #[command(after_help = "Example: cargo xtask setup")]
    Setup,
    /// Build plugins and publish them into ./plugins/ID/
    #[command(after_help = "Examples:\n  cargo xtask plugins lightgbm\n  cargo xtask plugins --to /srv/oculus/plugins")]
    Plugins {
        /// Plugins to build [default: all plugins of this project]
        names: Vec<String>,
        /// Plugins folder to publish into [default: ./plugins]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Write the generated pages, schemas and diagrams of docs/
    #[command(after_help = "Example: cargo xtask docs")]
    Docs,
    /// Run one real job through a private Redis and a worker
    ///
    /// Shows the progress and the result of the job.
    #[command(after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --picture docs/pictures/demo.svg")]
    Demo {
        /// SVG file to draw the output of the command to
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
    },
    /// Run a benchmark and write its table to docs/benchmarks.md or docs/reliability.md
    #[command(after_help = "Example: cargo xtask bench features")]
    Bench {
        /// Benchmark to run
        what: bench::Benchmark,
    },
    /// Inject faults into workers and Redis, and check that no job is lost
    ///
    /// Kills, stops and disconnects workers, their processes and a private Redis while jobs run. The
    /// seed determines the jobs and the faults.
    #[command(
        after_help = "Examples:\n  cargo xtask chaos --seed 7 --minutes 2\n  cargo xtask chaos --jobs 100000 --json chaos.json\n  cargo xtask chaos --minutes 30 -- --faults restore-snapshot,kill-worker\n  cargo xtask chaos --minutes 30 -- --faults fail-over,kill-worker,full-spool"
    )]
    Chaos(chaos::ChaosArgs),
    /// Build the archived plugin of API 1.0 for this platform
    ///
    /// Later hosts must load this binary, so it is built once per platform, committed and never
    /// rebuilt.
    #[command(after_help = "Example: cargo xtask archive")]
    Archive,
    /// Set up the tools and run every test
    #[command(after_help = "Example: cargo xtask test")]
    Test,
    /// Check format, lints, API docs, spelling and licences
    #[command(after_help = "Example: cargo xtask check")]
    Check,
    /// Run the tests and the checks, as CI does
    #[command(after_help = "Example: cargo xtask ci")]
    Ci,
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
        Task::Demo { picture } => demo::run(picture.as_deref()),
        Task::Bench { what } => bench::measure(what),
        Task::Chaos(args) => chaos::run(&args),
        Task::Archive => archive::build(),
        Task::Test => test::run(),
        Task::Check => check::run(),
        Task::Ci => {
            test::run()?;
            check::run()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_script_of_ci_runs_the_tasks_of_ci() {
        let script = include_str!("../../.ci/run");
        let tasks: Vec<_> = script.lines().filter_map(|line| line.strip_prefix("cargo xtask ")).collect();
        assert_eq!(tasks, ["test", "check"], "`Task::Ci` runs these tasks");
    }
}
