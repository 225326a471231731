//! The command line: commands, flags, exit codes.
//!
//! Exit codes: 0 success, 1 failure, 2 invalid usage or configuration, 3 refused job, 130
//! interrupted. Only the worker logs to stdout. Every other command writes only its output to
//! stdout; its log and its progress bar go to stderr.

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use oculus_plugin_host::catalog::Catalog;
use oculus_plugin_host::plugin_main;

use crate::config::{Config, ConfigFlags, LogConfig, LogFormat};
use crate::logging::{self, LogLevel, Output};
use crate::runner::spec::JobResources;
use crate::worker::redis_client::ConnectError;
use crate::worker::{self, ExitCondition, ReloadSource};

mod bars;
mod cancel;
mod client;
mod dead;
mod doctor;
mod drain;
mod errors;
mod exit_code;
mod failure;
mod features;
mod integration_test;
mod job_process;
mod job_result;
mod jobs;
mod operator;
mod output_file;
mod parsers;
mod plugin;
mod predict;
mod progress_bar;
mod queue;
mod schema;
mod stdout;
mod submit;
mod summary;
mod train;

/// The training worker of the Oculus Strategy Platform
///
/// Without a command, oculus-host runs the worker: it takes jobs from Redis, trains their models
/// and writes the results back to Redis.
#[derive(Parser)]
#[command(name = "oculus-host", version, after_help = "Example:\n  oculus-host --plugins ./plugins --concurrency 4")]
struct Cli {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(flatten)]
    worker: WorkerFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The flags of the worker. They are invalid with a command.
#[derive(clap::Args, Clone, Debug)]
struct WorkerFlags {
    /// Exit after N jobs; no more than N entries are fetched
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// Exit after this many seconds without a job
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    exit_when_idle: Option<u64>,
}

impl WorkerFlags {
    fn exit_condition(&self) -> ExitCondition {
        ExitCondition { n_jobs: self.jobs, idle: self.exit_when_idle.map(Duration::from_secs) }
    }
}

#[derive(Subcommand)]
enum Command {
    Train(train::TrainArgs),
    /// Fetch, show, check or generate market bars
    #[command(subcommand)]
    Bars(bars::BarsCommand),
    Predict(predict::PredictArgs),
    Submit(submit::SubmitArgs),
    IntegrationTest(integration_test::IntegrationTestArgs),
    Doctor(doctor::DoctorArgs),
    Jobs(jobs::JobsArgs),
    Cancel(cancel::CancelArgs),
    /// List, retry or drop dead letters
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// Pause or resume queues
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    Drain(drain::DrainArgs),
    Errors(errors::ErrorsArgs),
    Schema(schema::SchemaArgs),
    /// List or compute technical features
    #[command(subcommand)]
    Features(features::FeaturesCommand),
    /// List, check, create or roll back plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Run one job as a child process of the worker
    #[command(hide = true)]
    Job,
    /// Load one plugin library as a child process of a job
    #[command(hide = true)]
    PluginProcess,
}

/// Parses the command line, runs the command and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.is_some() && cli.worker.exit_condition() != ExitCondition::default() {
        let message = "--jobs and --exit-when-idle are flags of the worker, which runs without a command";
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let result = match cli.command {
        None => with_log(&cli.flags, Output::Stdout, |config, log_level| {
            let reload = ReloadSource { flags: cli.flags.clone(), log_level };
            run_worker(config, reload, cli.worker.exit_condition())
        }),
        Some(Command::Train(args)) => with_config(&cli.flags, Output::Stderr, |config| train::run(&config, &args)),
        Some(Command::Bars(command)) => with_config(&cli.flags, Output::Stderr, |config| bars::run(&config, &command)),
        Some(Command::Predict(args)) => with_config(&cli.flags, Output::Stderr, |config| predict::run(&config, &args)),
        Some(Command::Submit(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(submit::run(&config, &args)))
        }
        Some(Command::IntegrationTest(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(integration_test::run(&config, &args)))
        }
        Some(Command::Doctor(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(doctor::run(&config, &args)))
        }
        Some(Command::Jobs(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(jobs::run(&config, &args)))
        }
        Some(Command::Cancel(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(cancel::run(&config, &args)))
        }
        Some(Command::Dead(command)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(dead::run(&config, &command)))
        }
        Some(Command::Queue(command)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(queue::run(&config, &command)))
        }
        Some(Command::Drain(args)) => {
            with_config(&cli.flags, Output::Stderr, |config| runtime()?.block_on(drain::run(&config, &args)))
        }
        Some(Command::Features(command)) => {
            with_config(&cli.flags, Output::Stderr, |config| features::run(&config, &command))
        }
        Some(Command::Plugin(command)) => {
            // `--bars` also selects the tables on which `plugin check` tries a library. The setting alone
            // does not: a check must not depend on the environment.
            let bars = cli.flags.bars.as_deref();
            with_config(&cli.flags, Output::Stderr, |config| plugin::run(&config, &command, bars))
        }
        // This command needs no configuration, so it can explain the errors of an invalid
        // configuration.
        Some(Command::Errors(args)) => errors::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
        Some(Command::Job) => {
            init_child_log();
            job_process::run().map(|()| ExitCode::SUCCESS)
        }
        Some(Command::PluginProcess) => {
            init_child_log();
            plugin_main::run().map(|()| ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Reads the configuration, starts the log and runs a command.
fn with_config(
    flags: &ConfigFlags,
    output: Output,
    command: impl FnOnce(Config) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    with_log(flags, output, |config, _| command(config))
}

/// Reads the configuration, starts the log and runs a command that may change the level of the log.
fn with_log(
    flags: &ConfigFlags,
    output: Output,
    command: impl FnOnce(Config, LogLevel) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    match Config::from_process(flags) {
        Ok(config) => {
            let level = logging::init(config.log, output);
            command(config, level)
        }
        // The log's settings are part of the invalid configuration, so the error is printed without
        // the log.
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(exit_code::USAGE))
        }
    }
}

fn run_worker(config: Config, reload: ReloadSource, exit: ExitCondition) -> anyhow::Result<ExitCode> {
    let catalog = Catalog::open(&config.jobs.plugins)?;
    // The first scan is completed before the worker takes a job, so that the job finds every
    // plugin.
    catalog.scan_to_end()?;
    catalog.watch();
    // Jobs fail without a source of bars, but the worker starts anyway: it then writes the reason
    // into each result.
    if let Err(failure) = JobResources::from_config(&config.jobs, "worker") {
        tracing::warn!("every job will fail: {failure}; {}", failure.hint);
    }
    match runtime()?.block_on(worker::run(config, catalog, reload, exit)) {
        Err(error) if error.is::<ConnectError>() => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(exit_code::USAGE))
        }
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Starts the log of a child process. The parent writes the lines to its own log, and adds the time
/// and the level.
fn init_child_log() {
    // The parent has checked the configuration and passes on only this variable, so an invalid
    // level is not reported here.
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    logging::init(LogConfig { level: level.unwrap_or(tracing::Level::INFO), format: LogFormat::Text }, Output::Parent);
}
