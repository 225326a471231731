//! Runs every test of the project.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{cargo, setup};

/// Arguments of each `cargo test`: the workspace, and the example plugin, which is outside it like a third party's crate.
const TEST_RUNS: [&[&str]; 2] = [&["--workspace"], &["--manifest-path", "examples/logistic/Cargo.toml"]];

/// Runs every test, doctests included, and prints the totals at the end.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    // The end-to-end tests need the programs and plugins. They would build them without any output.
    cargo::build()?;
    let mut total = Total::default();
    let results: Vec<_> = TEST_RUNS.iter().map(|arguments| run_tests(arguments, &mut total)).collect();
    println!("{} passed, {} failed", total.n_passed, total.n_failed);
    results.into_iter().collect()
}

fn run_tests(arguments: &[&str], total: &mut Total) -> Result<()> {
    let mut command = cargo::cargo();
    command.arg("test").args(arguments).stdout(Stdio::piped());
    let mut tests = command.spawn().context("cannot start cargo test")?;
    let output = tests.stdout.take().context("the output of cargo test is not piped")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of cargo test")?;
        println!("{line}");
        total.add(&line);
    }
    let status = tests.wait().context("cannot wait for cargo test")?;
    if !status.success() {
        bail!("cargo test {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// Number of tests over all programs and crates.
#[derive(Default)]
struct Total {
    n_passed: u32,
    n_failed: u32,
}

impl Total {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …` and ignores other lines.
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
    fn totals_add_up_over_all_programs() {
        let mut total = Total::default();
        total.add("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        total.add("test a_job ... ok");
        total.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        assert_eq!((total.n_passed, total.n_failed), (14, 3));
    }
}
