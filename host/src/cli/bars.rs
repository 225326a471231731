//! `oculus-host bars`: market bars, real and made up.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod chart;
mod check;
mod fetch;
mod reading;
mod show;
mod synth;

/// Commands on bars.
#[derive(Subcommand)]
pub enum Command {
    Fetch(fetch::Args),
    Check(check::Args),
    Show(show::Args),
    Synth(synth::Args),
}

/// Runs the command.
///
/// # Errors
/// The command's own.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(args) => fetch::run(config, args),
        Command::Check(args) => check::run(config, args),
        Command::Show(args) => show::run(config, args),
        Command::Synth(args) => synth::run(args),
    }
}
