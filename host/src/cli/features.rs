//! `oculus-host features`: technical features.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod columns;
mod compute;
mod list;
mod write;

/// Commands on features.
#[derive(Subcommand)]
pub(super) enum FeaturesCommand {
    List(list::FeaturesListArgs),
    Compute(compute::FeaturesComputeArgs),
}

/// Runs the command.
///
/// # Errors
/// Those of the command.
pub(super) fn run(config: &Config, command: &FeaturesCommand) -> anyhow::Result<ExitCode> {
    match command {
        FeaturesCommand::List(args) => list::run(args),
        FeaturesCommand::Compute(args) => compute::run(config, args),
    }
}
