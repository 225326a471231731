//! `oculus-host bars`: the bars that jobs train on.

use std::process::ExitCode;

mod fetch;

use clap::Subcommand;

use crate::config::Config;

/// Commands on bars.
#[derive(Subcommand)]
pub enum Command {
    Fetch(fetch::Args),
}

/// Runs the command.
///
/// # Errors
/// The command's own.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(args) => fetch::run(config, args),
    }
}
