//! The command line: commands, flags, exit codes.
//!
//! Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 job refused, 130 interrupted. Only the worker logs to
//! stdout; every other command logs and draws on stderr and keeps stdout for its answer.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use oculus_plugin_host::catalog::Catalog;
use oculus_plugin_host::serve;

use crate::config::{Config, ConfigFlags, LogConfig, LogFormat};
use crate::logging::{self, Output};
use crate::runner::spec::JobResources;
use crate::worker;

mod bars;
mod client;
mod errors;
mod exit_code;
mod failure;
mod features;
mod integration_test;
mod job_process;
mod job_result;
mod output_file;
mod parsers;
mod plugin;
mod predict;
mod progress_bar;
mod stdout;
mod submit;
mod summary;
mod train;

/// Training worker of the Oculus Strategy Platform: takes jobs from Redis, trains, answers.
///
/// Without a command it runs the worker.
#[derive(Parser)]
#[command(name = "oculus-host", version, after_help = "Example:\n  oculus-host --plugins ./plugins --concurrency 4")]
struct Cli {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Train(train::TrainArgs),
    /// Market bars: fetch them, look at them, check them, make them up
    #[command(subcommand)]
    Bars(bars::BarsCommand),
    Predict(predict::PredictArgs),
    Submit(submit::SubmitArgs),
    IntegrationTest(integration_test::IntegrationTestArgs),
    Errors(errors::ErrorsArgs),
    /// Technical features: the catalogue, and their values
    #[command(subcommand)]
    Features(features::FeaturesCommand),
    /// Look at the plugins of a folder
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Role of the worker's children: one job
    #[command(hide = true)]
    Job,
    /// Role of a job's children: one plugin library
    #[command(hide = true)]
    PluginProcess,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        None => configured(&cli.flags, Output::Stdout, run_worker),
        Some(Command::Train(args)) => configured(&cli.flags, Output::Stderr, |config| train::run(&config, &args)),
        Some(Command::Bars(command)) => configured(&cli.flags, Output::Stderr, |config| bars::run(&config, &command)),
        Some(Command::Predict(args)) => configured(&cli.flags, Output::Stderr, |config| predict::run(&config, &args)),
        Some(Command::Submit(args)) => {
            configured(&cli.flags, Output::Stderr, |config| runtime()?.block_on(submit::run(&config, &args)))
        }
        Some(Command::IntegrationTest(args)) => {
            configured(&cli.flags, Output::Stderr, |config| runtime()?.block_on(integration_test::run(&config, &args)))
        }
        Some(Command::Features(command)) => {
            configured(&cli.flags, Output::Stderr, |config| features::run(&config, &command))
        }
        Some(Command::Plugin(command)) => {
            configured(&cli.flags, Output::Stderr, |config| plugin::run(&config, &command))
        }
        Some(Command::Errors(args)) => errors::run(&args),
        Some(Command::Job) => {
            log_of_child();
            job_process::run().map(|()| ExitCode::SUCCESS)
        }
        Some(Command::PluginProcess) => {
            log_of_child();
            serve::run().map(|()| ExitCode::SUCCESS)
        }
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs a command with the checked configuration and a log.
fn configured(
    flags: &ConfigFlags,
    output: Output,
    command: impl FnOnce(Config) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    match Config::from_process(flags) {
        Ok(config) => {
            logging::init(config.log, output);
            command(config)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(exit_code::USAGE))
        }
    }
}

fn run_worker(config: Config) -> anyhow::Result<ExitCode> {
    let catalog = Catalog::open(&config.jobs.plugins)?;
    catalog.scan_to_end()?;
    catalog.watch();
    if let Err(failure) = JobResources::from_config(&config.jobs, "worker") {
        tracing::warn!("every job will fail: {failure}; {}", failure.hint);
    }
    runtime()?.block_on(worker::run(config, catalog))?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Starts the log of a child process. Its lines go through its parent's log, which adds time and level.
fn log_of_child() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    logging::init(LogConfig { level: level.unwrap_or(tracing::Level::INFO), format: LogFormat::Text }, Output::Parent);
}
