//! `oculus-host cancel`: cancels a job that waits or runs.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::operator::{self, OperatorArgs, count};
use crate::config::Config;
use crate::worker::operations::cancel::{CancelOutcome, Cancellation, CancelledState};

/// Cancel a job that waits or runs
///
/// Removes a waiting job from its queue and stores the result `cancelled`. Requests the
/// cancellation of a running job from its worker, which kills it within 2 seconds, and waits until
/// it has ended. The exit code is 0 if the job has ended as cancelled, and 1 otherwise.
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Examples:\n  oculus-host cancel build:example\n  oculus-host cancel build:example --no-wait")]
pub(super) struct CancelArgs {
    /// Id of the job
    #[arg(value_name = "ID")]
    pub id: String,
    /// Request the cancellation of a running job without waiting for its end
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
    /// Longest time to wait for the end of a running job
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = operator::seconds)]
    pub timeout: Duration,
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Cancels a job, and waits for its end unless the flags forbid it.
///
/// # Errors
/// Returns an error if no queue contains the job, or if Redis cannot be reached.
pub(super) async fn run(config: &Config, args: &CancelArgs) -> anyhow::Result<ExitCode> {
    operator::exit_code_of(cancel(config, args).await)
}

async fn cancel(config: &Config, args: &CancelArgs) -> anyhow::Result<ExitCode> {
    let operations = operator::connect(config, &args.operator)?;
    let mut cancellations = operations.cancel(&args.id).await?;
    for cancellation in &mut cancellations {
        if args.no_wait || cancellation.outcome != CancelOutcome::Requested {
            continue;
        }
        let workers = cancellation.workers.join(", ");
        eprintln!("job {} is held by {workers}; waiting until it has ended", cancellation.id);
        operations.wait_for_cancellation(cancellation, args.timeout).await?;
    }
    operator::print(&cancellations, args.operator.json, |cancellations| {
        cancellations.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    let is_done = |cancellation: &Cancellation| match cancellation.outcome {
        CancelOutcome::Cancelled => true,
        CancelOutcome::Requested => args.no_wait,
        CancelOutcome::Succeeded | CancelOutcome::Failed => false,
    };
    Ok(if cancellations.iter().all(is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(cancellation: &Cancellation) -> String {
    let Cancellation { queue, id, state, outcome, n_removed, .. } = cancellation;
    let removed = match n_removed {
        0 => String::new(),
        n => format!("; {} removed from the queue", count(*n as usize, "entry", "entries")),
    };
    let outcome = match (outcome, state) {
        (CancelOutcome::Cancelled, _) => "is cancelled",
        (CancelOutcome::Requested, _) => {
            "has not ended yet; its cancellation is requested, and `oculus-host jobs` shows its state"
        }
        (CancelOutcome::Succeeded, CancelledState::Waiting) => {
            "is not run again: its payload has already succeeded, and its result is unchanged"
        }
        (CancelOutcome::Succeeded, _) => "succeeded before it could be cancelled",
        (CancelOutcome::Failed, _) => "failed before it could be cancelled",
    };
    format!("job {id} of {queue} {outcome}{removed}")
}
