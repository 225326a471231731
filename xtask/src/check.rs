//! The checks that CI runs in addition to the tests: format, lints, API docs, spelling and
//! licences.
//!
//! Links between pages are checked by `tests/e2e/docs.rs`, so they are part of the tests.

use std::process::Command;

use anyhow::Result;

use crate::shell::{root, run as run_command};
use crate::{cargo, setup};

/// Runs every check, and stops at the first failure.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    let checkers = setup::checkers()?;
    run_command(cargo::cargo().args(["fmt", "--all", "--check"]))?;
    run_command(Command::new(checkers.typos).current_dir(root()))?;
    run_command(cargo_deny(&checkers.cargo_deny).args(["check", "licenses", "bans", "sources"]))?;
    run_command(cargo::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run_command(cargo::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Returns a command that runs cargo-deny on the whole workspace.
// Advisories are not checked: they require a download, and change without a commit.
fn cargo_deny(program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).args(["--workspace", "--locked"]);
    command
}
