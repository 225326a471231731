//! `oculus-host features`: technical features.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod columns;
mod compute;
mod write;

/// Commands on features.
#[derive(Subcommand)]
pub enum Command {
    Compute(compute::Args),
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Compute(args) => compute::run(config, args),
    }
}
