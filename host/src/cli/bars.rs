//! `oculus-host bars`: market bars, fetched, looked at, verified, made up.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod candles;
mod candlestick_chart;
mod check;
mod fetch;
mod reading;
mod show;
mod synth;
mod terminal_chart;

/// Commands on bars.
#[derive(Subcommand)]
pub(super) enum Command {
    Fetch(fetch::Args),
    Show(show::Args),
    Check(check::Args),
    Synth(synth::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub(super) fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(args) => fetch::run(config, args),
        Command::Show(args) => show::run(config, args),
        Command::Check(args) => check::run(config, args),
        Command::Synth(args) => synth::run(args),
    }
}
