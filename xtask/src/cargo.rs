//! Runs cargo on the whole workspace. All tasks share one build of the dependencies.
//!
//! A build of a single crate with `-p` could select different features of shared dependencies, and
//! would then build these dependencies again.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{output, root, run};

/// Returns a cargo command that runs in the root of the checkout.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // `cargo run` sets variables that describe xtask; build scripts that read them would run again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_crate(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn describes_crate(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| variable.starts_with(start))
}

/// Builds every library and program of the workspace.
pub(crate) fn build() -> Result<()> {
    run(cargo().args(["build", "--workspace"]))
}

/// Returns the folder that cargo builds programs and libraries into.
pub(crate) fn build_dir() -> Result<PathBuf> {
    // A configured target directory may be anywhere; only cargo can report it.
    let metadata =
        output(cargo().args(["metadata", "--format-version", "1", "--no-deps"])).context("cargo metadata failed")?;
    let (_, rest) = metadata
        .split_once("\"target_directory\":\"")
        .context("the output of cargo metadata contains no target_directory")?;
    let folder = rest.split('"').next().context("the output of cargo metadata contains no target_directory")?;
    Ok(PathBuf::from(folder).join("debug"))
}
