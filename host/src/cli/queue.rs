//! `oculus-host queue`: pauses and resumes queues.

use std::process::ExitCode;

use clap::Subcommand;

use super::jobs::paused;
use super::operator::{self, OperatorArgs};
use crate::config::Config;
use crate::worker::operations::pause::QueueState;

/// The subcommands of `oculus-host queue`.
#[derive(Subcommand)]
pub(super) enum QueueCommand {
    /// Pause queues: workers fetch no more entries and finish what they run
    #[command(after_help = "Example:\n  oculus-host queue pause --reason \"database maintenance\"")]
    Pause {
        /// Reason that `oculus-host jobs` shows
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Resume queues: workers fetch entries again within a second
    #[command(after_help = "Example:\n  oculus-host queue resume")]
    Resume {
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

/// Runs a subcommand; the exit code is 0, even if a queue was paused or resumed before.
///
/// # Errors
/// Returns an error if Redis cannot be reached.
pub(super) async fn run(config: &Config, command: &QueueCommand) -> anyhow::Result<ExitCode> {
    operator::exit_code_of(change(config, command).await)
}

async fn change(config: &Config, command: &QueueCommand) -> anyhow::Result<ExitCode> {
    let (args, states) = match command {
        QueueCommand::Pause { reason, operator } => {
            (operator, operator::connect(config, operator)?.pause(reason.as_deref()).await?)
        }
        QueueCommand::Resume { operator } => (operator, operator::connect(config, operator)?.resume().await?),
    };
    operator::print(&states, args.json, |states| states.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn text(state: &QueueState) -> String {
    let pause = state.pause.as_ref().map(paused).unwrap_or_default();
    let outcome = match (state.is_paused, state.has_changed) {
        (true, true) => "paused".to_owned(),
        (true, false) => format!("unchanged, {pause}"),
        (false, true) => format!("resumed; it was {pause}"),
        (false, false) => "unchanged, it was not paused".to_owned(),
    };
    format!("queue {}: {outcome}", state.queue)
}
