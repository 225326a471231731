//! `oculus-host features`: lists or computes technical features.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

mod columns;
mod compute;
mod list;
mod write;

/// The subcommands of `oculus-host features`.
#[derive(Subcommand)]
pub(super) enum FeaturesCommand {
    List(list::FeaturesListArgs),
    Compute(compute::FeaturesComputeArgs),
}

/// Runs a subcommand.
///
/// # Errors
/// Returns the error of the subcommand.
pub(super) fn run(config: &Config, command: &FeaturesCommand) -> anyhow::Result<ExitCode> {
    match command {
        FeaturesCommand::List(args) => list::run(args),
        FeaturesCommand::Compute(args) => compute::run(config, args),
    }
}
