//! `oculus-host features`: what features there are, and their values.

use std::process::ExitCode;

mod columns;
mod compute;
mod list;
mod write;

use clap::Subcommand;

use crate::config::Config;

/// Commands on features.
#[derive(Subcommand)]
pub enum Command {
    List(list::Args),
    Compute(compute::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args),
        Command::Compute(args) => compute::run(config, args),
    }
}
