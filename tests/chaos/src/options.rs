//! The options of a run, as flags of the program `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::FaultKind;

/// Inject faults into workers and Redis, and check that no job is lost
///
/// Starts a private Redis and several workers, pushes jobs, and injects the faults of the schedule.
/// When the queue is empty again, the results are compared with the pushed jobs. The exit code is 1
/// if a job was lost, a result is outdated or was accepted twice, or a dead letter is not explained
/// by an injected fault.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "chaos",
    after_help = "Examples:\n  cargo xtask chaos --seed 7 --minutes 2\n  cargo xtask chaos --jobs 100000 --json chaos.json\n  cargo xtask chaos --minutes 30 -- --faults restore-snapshot,kill-worker\n  cargo xtask chaos --minutes 30 -- --faults fail-over,kill-worker,full-spool"
)]
pub struct Options {
    /// Number of jobs to push [default: 1000, or with --minutes as many as the workers finish]
    #[arg(long)]
    pub jobs: Option<u32>,
    /// Seed of the jobs and of the schedule of faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of minutes in which faults are injected [default: until all jobs are pushed]
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Number of workers, each with two concurrent jobs
    #[arg(long, default_value_t = 4)]
    pub workers: usize,
    /// Length of a lease (`LEASE_SECONDS`)
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub lease: u32,
    /// Mean time between two faults
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub pause: f64,
    /// Number of jobs per 1000 that train models; all others are refused
    #[arg(long, value_name = "PER_MILLE", default_value_t = 10)]
    pub trainings: u32,
    /// Kinds of faults, separated by commas [default: every kind except restore-snapshot and
    /// fail-over]
    #[arg(long, value_enum, value_delimiter = ',', hide_default_value = true, default_values_t = FaultKind::defaults())]
    pub faults: Vec<FaultKind>,
    /// Maximum number of seconds until the queue is empty after the last fault
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub quiet_limit: u64,
    /// File to write the report to, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// File to write the table to, as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Level of the workers' logs (`LOG_LEVEL`), which the report quotes for each violation
    #[arg(long, value_name = "LEVEL", default_value = "INFO")]
    pub log_level: String,
    /// Folder to write the logs of the workers to
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
}

impl Options {
    /// Checks the combination of faults.
    ///
    /// # Errors
    /// Returns an error if a fault cannot be combined with a fail-over.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = self.faults.iter().filter(|kind| kind.needs_fixed_address()).map(ToString::to_string);
        let refused: Vec<String> = refused.collect();
        ensure!(
            !self.faults.contains(&FaultKind::FailOver) || refused.is_empty(),
            "fail-over cannot be combined with {}: these faults need a Redis at a fixed address",
            refused.join(", ")
        );
        Ok(())
    }

    /// Returns the number of jobs to push, if it is limited.
    pub fn max_jobs(&self) -> Option<u32> {
        self.jobs.or(if self.minutes.is_some() { None } else { Some(1000) })
    }

    /// Returns the length of a lease.
    pub fn lease_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.lease))
    }

    /// Returns the time in which faults are injected, if it is limited.
    pub fn fault_time(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_over_is_refused_together_with_faults_that_need_a_fixed_address() {
        let check = |faults| Options::parse_from(["chaos", "--faults", faults]).check();
        check("fail-over,kill-worker,full-spool").unwrap();
        check("kill-redis,cut-connections").unwrap();
        let error = check("fail-over,kill-worker,kill-redis,cut-connections").unwrap_err().to_string();
        assert!(error.contains("combined with kill-redis, cut-connections:"), "{error}");
    }
}
