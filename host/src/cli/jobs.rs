//! `oculus-host jobs`: shows waiting, claimed and running jobs, recent results and workers.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::operator::{self, OperatorArgs, cell, count, duration, time};
use crate::config::Config;
use crate::worker::operations::fleet::FleetWorker;
use crate::worker::operations::jobs::{ClaimState, ClaimedJob, JobsOverview, QueueOverview, WaitingJob};
use crate::worker::operations::pause::Pause;
use crate::worker::operations::recent::RecentResult;

/// Show the jobs of the queues, and their workers
///
/// Shows waiting jobs (the next one first), claimed and running jobs with their progress, the last
/// results, the number of dead letters, and every worker.
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Examples:\n  oculus-host jobs\n  oculus-host jobs --limit 100 --json")]
pub(super) struct JobsArgs {
    /// Largest number of waiting jobs and of results to show per queue
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
    pub limit: usize,
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Prints the state of the queues; the exit code is 0.
///
/// # Errors
/// Returns an error if Redis cannot be reached.
pub(super) async fn run(config: &Config, args: &JobsArgs) -> anyhow::Result<ExitCode> {
    let show = async {
        let overview = operator::connect(config, &args.operator)?.jobs(args.limit).await?;
        operator::print(&overview, args.operator.json, text)?;
        Ok(ExitCode::SUCCESS)
    };
    operator::exit_code_of(show.await)
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=10_000).contains(limit));
    limit.ok_or_else(|| "expected a whole number from 1 to 10000".to_owned())
}

fn text(overview: &JobsOverview) -> String {
    let queues = overview.queues.iter().map(queue);
    queues.chain([workers(&overview.workers)]).collect::<Vec<_>>().join("\n\n")
}

fn queue(queue: &QueueOverview) -> String {
    let mut parts = vec![format!(
        "queue {}: {} waiting, {} claimed, {}{}",
        queue.queue,
        queue.n_waiting,
        queue.n_claimed,
        count(queue.n_dead_letters as usize, "dead letter", "dead letters"),
        queue.pause.as_ref().map_or_else(String::new, |pause| format!(", {}", paused(pause)))
    )];
    if !queue.claimed.is_empty() {
        parts.push(claimed(&queue.claimed));
    }
    if !queue.waiting.is_empty() {
        parts.push(waiting(&queue.waiting));
        let n_more = queue.n_waiting.saturating_sub(queue.waiting.len() as u64);
        if n_more > 0 {
            parts.push(format!("and {n_more} more waiting; --limit N shows more"));
        }
    }
    if !queue.recent.is_empty() {
        parts.push(recent(&queue.recent));
    }
    parts.join("\n")
}

/// Returns the description of a pause.
pub(super) fn paused(pause: &Pause) -> String {
    let by = pause.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
    let at = pause.at.map_or_else(String::new, |at| format!(" since {}", time(at)));
    let reason = pause.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("paused{by}{at}{reason}")
}

fn claimed(jobs: &[ClaimedJob]) -> String {
    let mut table =
        operator::table(["running job", "user", "worker", "attempt", "since", "phase", "%", "ETA", "event", ""]);
    for job in jobs {
        let phase = match job.state {
            ClaimState::Claimed => Some("claimed"),
            ClaimState::Running => job.phase.map(|phase| phase.name()),
        };
        let cancelled = job.is_cancelled.then_some("cancel requested");
        let newer = job.has_newer_payload.then_some("newer payload waits");
        let expired = (job.lease_s < 0.0).then_some("lease expired");
        table.add_row([
            cell(job.id.as_ref()),
            cell(job.user_id.as_ref()),
            job.worker.clone(),
            cell(job.attempt),
            cell(job.seconds.map(duration)),
            cell(phase),
            cell(job.percent.map(|percent| format!("{percent:.0}"))),
            cell(job.eta_s.map(duration)),
            cell(job.event_age_s.map(|age| format!("{} ago", duration(age)))),
            [cancelled, newer, expired].into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]);
    }
    table.to_string()
}

fn waiting(jobs: &[WaitingJob]) -> String {
    let mut table = operator::table(["position", "waiting job", "form", "user"]);
    for job in jobs {
        let form = serde_json::to_value(job.form).ok();
        let form = form.as_ref().and_then(|form| form.as_str());
        table.add_row([job.position.to_string(), cell(job.id.as_ref()), cell(form), cell(job.user_id.as_ref())]);
    }
    table.to_string()
}

fn recent(results: &[RecentResult]) -> String {
    let mut table = operator::table(["finished job", "status", "code", "worker", "attempt", "duration", "finished"]);
    for result in results {
        table.add_row([
            result.id.clone(),
            result.status.name().to_owned(),
            cell(result.code.as_ref()),
            cell(result.worker.as_ref()),
            cell(result.attempt),
            cell(result.seconds.map(duration)),
            time(result.finished_at),
        ]);
    }
    table.to_string()
}

fn workers(workers: &[FleetWorker]) -> String {
    if workers.is_empty() {
        return "no worker reports to these queues".to_owned();
    }
    let mut table = operator::table(["worker", "state", "jobs", "version", "host", "pid", "devices", "last report"]);
    for FleetWorker { seen_s, report } in workers {
        let state = serde_json::to_value(report.state).ok();
        table.add_row([
            report.worker_id.clone(),
            cell(state.as_ref().and_then(|state| state.as_str())),
            format!("{} of {}", report.running.len(), report.concurrency),
            report.version.clone(),
            report.hostname.clone(),
            report.pid.to_string(),
            report.devices.join(", "),
            format!("{} ago", duration(*seen_s)),
        ]);
    }
    table.to_string()
}
