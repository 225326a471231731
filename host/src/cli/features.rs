//! `oculus-host features`: what features there are.

use std::process::ExitCode;

mod list;

use clap::Subcommand;

use crate::config::Config;

/// Commands on features.
#[derive(Subcommand)]
pub enum Command {
    List(list::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub fn run(_: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args),
    }
}
