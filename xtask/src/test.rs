//! Sets up and passes every test.

use anyhow::Result;

use crate::{cargo, setup, shell};

/// Runs every test of the workspace, doctests included.
pub fn run() -> Result<()> {
    setup::run()?;
    // The programs and plugins that the end-to-end tests start; the tests would build them, in silence.
    cargo::build()?;
    shell::run(cargo::cargo().args(["test", "--workspace"]))
}
