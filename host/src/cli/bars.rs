//! `oculus-host bars`: fetches, shows, checks and generates market bars.

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

/// The subcommands of `oculus-host bars`.
#[derive(Subcommand)]
pub(super) enum BarsCommand {
    Fetch(fetch::BarsFetchArgs),
    Show(show::BarsShowArgs),
    Check(check::BarsCheckArgs),
    Synth(synth::BarsSynthArgs),
}

/// Runs a subcommand.
///
/// # Errors
/// Returns the error of the subcommand.
pub(super) fn run(config: &Config, command: &BarsCommand) -> anyhow::Result<ExitCode> {
    match command {
        BarsCommand::Fetch(args) => fetch::run(config, args),
        BarsCommand::Show(args) => show::run(config, args),
        BarsCommand::Check(args) => check::run(config, args),
        BarsCommand::Synth(args) => synth::run(args),
    }
}
