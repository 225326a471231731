//! Sets up and passes every test.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{cargo, setup};

/// What is tested: the workspace, and the example that stands outside of it, as a third party's crate does.
const TESTED: [&[&str]; 2] = [&["--workspace"], &["--manifest-path", "examples/logistic/Cargo.toml"]];

/// Runs every test, doctests included, and says at the end how many there were.
pub fn run() -> Result<()> {
    setup::run()?;
    // The programs and plugins that the end-to-end tests start; the tests would build them, in silence.
    cargo::build()?;
    let mut total = Total::default();
    let results: Vec<_> = TESTED.iter().map(|what| run_tests(what, &mut total)).collect();
    println!("{} passed, {} failed", total.n_passed, total.n_failed);
    results.into_iter().collect()
}

fn run_tests(what: &[&str], total: &mut Total) -> Result<()> {
    let mut command = cargo::cargo();
    command.arg("test").args(what).stdout(Stdio::piped());
    let mut tests = command.spawn().context("cannot start cargo test")?;
    let output = tests.stdout.take().context("cargo test has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("what cargo test prints")?;
        println!("{line}");
        total.add(&line);
    }
    let status = tests.wait().context("cargo test")?;
    if !status.success() {
        bail!("cargo test {} ended with {status}", what.join(" "));
    }
    Ok(())
}

/// Tests of all programs and crates together.
#[derive(Default)]
struct Total {
    n_passed: u32,
    n_failed: u32,
}

impl Total {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`; other lines are none of its business.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let before = counts.split_once(what).map_or("", |(before, _)| before.trim_end());
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
    fn the_total_adds_up_all_programs() {
        let mut total = Total::default();
        total.add("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        total.add("test a_job ... ok");
        total.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        assert_eq!((total.n_passed, total.n_failed), (14, 3));
    }
}
