//! The command `doctor`: checks a live installation and names the remedy of each problem.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{operator, stdout};
use crate::config::Config;
use crate::worker::claim::Holder;
use crate::worker::queue::{Audit, Queue};

/// Check a live installation
///
/// `--queue` checks on the live Redis that every entry of the configured queues is in its list, under
/// a lease, or finished. The exit code is 0 if no problem was found, and 1 otherwise.
#[derive(Args)]
#[command(after_help = "Example:\n  oculus-host doctor --queue")]
pub(super) struct DoctorArgs {
    /// Check the queues in Redis
    #[arg(long, required = true)]
    queue: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks the configured queues and prints the findings.
///
/// # Errors
/// Returns an error if Redis is unavailable or rejects a command.
pub(super) async fn run(config: &Config, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let redis = Arc::new(operator::client(config));
    let holder = Holder::new("doctor")?;
    let mut audits = Vec::new();
    for name in &config.queue.names {
        let queue = Queue::new(name, &holder, &config.queue, Arc::clone(&redis));
        let audit = queue.audit().await.with_context(|| format!("cannot check the queue {name}"))?;
        audits.push((name, audit));
    }
    let is_consistent = audits.iter().all(|(_, audit)| audit.findings.is_empty());
    let text = if args.json { json_of(&audits) } else { text_of(&audits) };
    stdout::print_output(&text)?;
    Ok(if is_consistent { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn json_of(audits: &[(&String, Audit)]) -> String {
    let queues = audits.iter().map(|(name, audit)| {
        let Audit { n_waiting, n_claims, findings } = audit;
        json!({ "queue": name, "n_waiting": n_waiting, "n_claims": n_claims, "findings": findings })
    });
    format!("{:#}", json!({ "queues": queues.collect::<Vec<_>>() }))
}

fn text_of(audits: &[(&String, Audit)]) -> String {
    let mut lines = Vec::new();
    for (name, Audit { n_waiting, n_claims, findings }) in audits {
        let verdict = match findings.len() {
            0 => "consistent".to_owned(),
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        lines.push(format!("{name}: {n_waiting} waiting, {n_claims} claimed, {verdict}"));
        lines.extend(findings.iter().map(|finding| format!("  {finding}")));
    }
    lines.join("\n")
}
