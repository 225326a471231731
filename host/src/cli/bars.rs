//! `oculus-host bars`: market bars, real and made up.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod synth;

/// Commands on bars.
#[derive(Subcommand)]
pub enum Command {
    Synth(synth::Args),
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub fn run(_: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Synth(args) => synth::run(args),
    }
}
