//! Builds and starts the chaos suite in `tests/chaos`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::shell::run as run_command;
use crate::{cargo, setup};

/// The flags of the suite. Flags that are not given have the defaults of the suite.
#[derive(Args)]
pub(crate) struct ChaosArgs {
    /// Number of jobs to push [default: 1000, or with --minutes as many as the workers finish]
    #[arg(long)]
    jobs: Option<u32>,
    /// Seed of the jobs and of the schedule of faults [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Number of minutes in which faults are injected [default: until all jobs are pushed]
    #[arg(long)]
    minutes: Option<f64>,
    /// File to write the report to, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// More flags of the suite; `cargo xtask chaos -- --help` describes all
    #[arg(last = true, value_name = "FLAGS")]
    more: Vec<String>,
}

/// Builds the workspace and runs the suite. Fails if a guarantee is violated.
pub(crate) fn run(args: &ChaosArgs) -> Result<()> {
    setup::run()?;
    cargo::build()?;
    let mut command = std::process::Command::new(cargo::build_dir()?.join("chaos"));
    let numbers = [
        ("--jobs", args.jobs.map(|jobs| jobs.to_string())),
        ("--seed", args.seed.map(|seed| seed.to_string())),
        ("--minutes", args.minutes.map(|minutes| minutes.to_string())),
    ];
    for (flag, value) in numbers {
        command.args(value.map(|value| format!("{flag}={value}")));
    }
    if let Some(path) = &args.json {
        command.arg("--json").arg(path);
    }
    run_command(command.args(&args.more))
}
