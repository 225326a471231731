//! `oculus-host features`: technical features.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod columns;
mod compute;
mod list;
mod write;

/// Commands on features.
#[derive(Subcommand)]
pub(super) enum Command {
    List(list::Args),
    Compute(compute::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub(super) fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args),
        Command::Compute(args) => compute::run(config, args),
    }
}
