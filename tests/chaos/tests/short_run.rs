//! A short run of the chaos suite, for CI: every default fault, then older snapshots and
//! fail-overs.

use clap::Parser;
use oculus_chaos::{Options, run};
use parking_lot::Mutex;

/// Held by the test that runs. Two runs at the same time would slow each other down.
static RUNNING: Mutex<()> = Mutex::new(());

/// Runs the suite and returns the number of injected faults.
///
/// # Panics
/// Panics with the report if a guarantee is violated.
fn n_injected(flags: &[&str]) -> u32 {
    let _running = RUNNING.lock();
    let options = Options::parse_from([&["chaos"], flags].concat());
    let report = run(options).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(report.is_ok(), "{report}\n{:#}", report.to_json()["violations"]);
    report.n_injected()
}

#[test]
fn no_job_is_lost_or_accepted_twice_under_every_kind_of_fault() {
    let n = n_injected(&["--seed", "16", "--minutes", "0.6", "--workers", "3", "--pause", "1.5", "--trainings", "30"]);
    assert!(n >= 12, "only {n} faults were injected");
}

#[test]
fn no_job_that_redis_or_a_worker_knows_is_lost_when_an_older_snapshot_is_restored() {
    let faults = "restore-snapshot,kill-worker,changed-payload";
    let run = ["--seed", "16", "--minutes", "0.4", "--workers", "2", "--trainings", "40", "--faults", faults];
    let n = n_injected(&run);
    assert!(n >= 6, "only {n} faults were injected");
}

#[test]
fn no_job_that_the_new_primary_or_a_worker_knows_is_lost_after_a_fail_over() {
    let run = ["--seed", "16", "--minutes", "0.1", "--workers", "2", "--trainings", "4", "--faults", "fail-over"];
    assert_eq!(n_injected(&run), 1);
}
