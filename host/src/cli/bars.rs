//! `oculus-host bars`: bars of a source, looked at and verified.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod chart;
mod check;
mod reading;
mod show;

/// Commands on bars.
#[derive(Subcommand)]
pub enum Command {
    Check(check::Args),
    Show(show::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(args) => check::run(config, args),
        Command::Show(args) => show::run(config, args),
    }
}
