//! `oculus-host bars`: fetches, shows, checks and synthesises market bars.

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
pub(super) enum BarsCommand {
    Fetch(fetch::BarsFetchArgs),
    Show(show::BarsShowArgs),
    Check(check::BarsCheckArgs),
    Synth(synth::BarsSynthArgs),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub(super) fn run(config: &Config, command: &BarsCommand) -> anyhow::Result<ExitCode> {
    match command {
        BarsCommand::Fetch(args) => fetch::run(config, args),
        BarsCommand::Show(args) => show::run(config, args),
        BarsCommand::Check(args) => check::run(config, args),
        BarsCommand::Synth(args) => synth::run(args),
    }
}
