//! Runs every test of the project.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{cargo, setup};

/// Arguments of each run of `cargo test`: the workspace, and the example plugins, which are outside
/// the workspace like the crate of a third party.
const TEST_RUNS: [&[&str]; 4] = [
    &["--workspace"],
    &["--manifest-path", "examples/logistic/Cargo.toml"],
    &["--manifest-path", "examples/knn/Cargo.toml"],
    &["--manifest-path", "examples/thresholds/Cargo.toml"],
];

/// Arguments of the tests that run with each supported server.
const QUEUE_TESTS: [&str; 3] = ["--workspace", "--test", "queue"];

/// Runs every test, including doctests, and prints the totals.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    // The end-to-end tests need the programs and plugins. Without this step they would build them,
    // but show no progress.
    cargo::build()?;
    let mut total = TestTotal::default();
    // The results are collected first, so that a failure in the first run does not skip the second
    // run.
    let mut results: Vec<_> = TEST_RUNS.iter().map(|arguments| run_tests(arguments, None, &mut total)).collect();
    for server in setup::redis_servers()? {
        println!("tests of the queue with {}", server.name);
        results.push(run_tests(&QUEUE_TESTS, Some(&server.program), &mut total));
    }
    println!("{} passed, {} failed", total.n_passed, total.n_failed);
    results.into_iter().collect()
}

/// Runs `cargo test`.
///
/// * `redis_server`: the server that the tests start, instead of the installed redis-server.
fn run_tests(arguments: &[&str], redis_server: Option<&Path>, total: &mut TestTotal) -> Result<()> {
    let mut command = cargo::cargo();
    command.envs(redis_server.map(|program| ("TEST_REDIS_SERVER", program)));
    // `--no-fail-fast` shows all failures in one run, because one change may break several tests.
    command.args(["test", "--no-fail-fast"]).args(arguments).stdout(Stdio::piped());
    let mut tests = command.spawn().context("cannot start cargo test")?;
    let output = tests.stdout.take().context("the output of cargo test is not piped")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of cargo test")?;
        println!("{line}");
        total.add(&line);
    }
    let status = tests.wait().context("cannot wait for cargo test")?;
    if !status.success() {
        bail!("cargo test {} failed with {status}", arguments.join(" "));
    }
    Ok(())
}

/// The number of passed and failed tests of all programs and crates.
#[derive(Default)]
struct TestTotal {
    n_passed: u32,
    n_failed: u32,
}

impl TestTotal {
    /// Adds the counts of a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`;
    /// ignores other lines.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |outcome: &str| {
            let before = counts.split_once(outcome).map_or("", |(before, _)| before.trim_end());
            before.rsplit(' ').next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0)
        };
        self.n_passed += count("passed");
        self.n_failed += count("failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_sum_the_results_of_all_programs() {
        let mut total = TestTotal::default();
        total.add("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        total.add("test a_job ... ok");
        total.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        assert_eq!((total.n_passed, total.n_failed), (14, 3));
    }
}
