//! `oculus-host bars`: market bars, real and made up.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod fetch;
mod synth;

/// Commands on bars.
#[derive(Subcommand)]
pub enum Command {
    Fetch(fetch::Args),
    Synth(synth::Args),
}

/// Runs the command.
///
/// # Errors
/// The command's own.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(args) => fetch::run(config, args),
        Command::Synth(args) => synth::run(args),
    }
}
