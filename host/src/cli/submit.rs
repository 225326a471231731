//! `oculus-host submit`: hands a job to the workers, and waits for its answer if asked to.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;
use serde_json::Value;

use super::exchange::{Exchange, Watcher};
use crate::config::Config;
use crate::worker::entry::{self, Entry};

/// Submit a job to the queue
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host submit examples/job.json --wait")]
pub struct Args {
    /// The job as JSON, with `job_id` or `build_id`
    #[arg(value_name = "JOB.json")]
    pub job: PathBuf,
    /// Follow the job's progress on stderr and print its result on stdout
    #[arg(long)]
    pub wait: bool,
}

/// Submits; the exit code is 0 for a success (or for a job handed over), 1 for a failed job, 3 for a refused one.
///
/// # Errors
/// A file that is no job, or Redis' own.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let path = args.job.display();
    let payload = std::fs::read_to_string(&args.job).with_context(|| format!("the job {path} cannot be read"))?;
    let id = match entry::read(payload.trim().as_bytes()) {
        Ok(Entry::Job { id, .. }) => id,
        Ok(_) => bail!("{path} is no job: needed: a JSON object with `symbols` and with `job_id` or `build_id`"),
        Err(refusal) => bail!("{path} is no job: {}; {}", refusal.failure.message, refusal.failure.hint),
    };
    let exchange = Exchange::open(config).await?;
    if !args.wait {
        exchange.hand_over(&id, &payload).await?;
        eprintln!("job {id} is in the queue {}", exchange.queue());
        println!("{id}");
        return Ok(ExitCode::SUCCESS);
    }
    // Subscribed first, so that no event is missed.
    let mut watcher = Watcher::of(config, &exchange, &id).await?;
    exchange.hand_over(&id, &payload).await?;
    let bar = progress_bar();
    let result = watcher
        .until_result(|event| {
            bar.set_position(event.details.get("percent").and_then(Value::as_f64).unwrap_or(0.0) as u64);
            let message = event.details.get("message").and_then(Value::as_str).unwrap_or_default();
            bar.set_message(format!("{} {message}", event.phase.name()));
        })
        .await?;
    bar.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&result)?);
    Ok(exit_code(&result))
}

/// 0 for a success, 3 for a job that was refused, 1 for any other ending.
pub fn exit_code(result: &Value) -> ExitCode {
    match (result["status"].as_str(), result["error"]["kind"].as_str()) {
        (Some("success"), _) => ExitCode::SUCCESS,
        (_, Some("refused")) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

fn progress_bar() -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(100);
    let style = indicatif::ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos:>3} % {wide_msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_success_failure_and_refusal_apart() {
        for (result, code) in [
            (serde_json::json!({ "status": "success" }), ExitCode::SUCCESS),
            (serde_json::json!({ "status": "failed", "error": { "kind": "failed" } }), ExitCode::FAILURE),
            (serde_json::json!({ "status": "failed", "error": { "kind": "refused" } }), ExitCode::from(3)),
            (serde_json::json!({ "status": "cancelled" }), ExitCode::FAILURE),
        ] {
            assert_eq!(exit_code(&result), code, "{result}");
        }
    }
}
