//! Python wheels, unpacked into folders of their own: no virtual environment, nothing of the system's Python changed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::system_package;
use crate::shell::{output, run as run_command};

/// Whether what a wheel needs is wanted beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// It and nothing else.
    Nothing,
    /// It and all that it depends on.
    Everything,
}

/// Unpacks one wheel into a folder.
///
/// * `what`: the name to show.
/// * `requirement`: as pip writes it, `cmake>=3.28,<5`.
pub fn unpack(what: &str, requirement: &str, folder: &Path, needs: Needs) -> Result<()> {
    if output(Command::new("python3").args(["-m", "pip", "--version"])).is_none() {
        let pip = || output(Command::new("python3").args(["-m", "pip", "--version"])).is_some();
        system_package("Python's pip", &[("apt-get", "python3-pip"), ("dnf", "python3-pip"), ("brew", "python")], pip)?;
    }
    eprintln!("setup: fetching {what} into {}", folder.display());
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-warn-script-location"]).args([
        "--root-user-action=ignore",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
    ]);
    if needs == Needs::Nothing {
        pip.arg("--no-deps");
    }
    pip.arg("--target").arg(folder).arg(requirement);
    run_command(&mut pip).with_context(|| format!("cannot fetch {what}"))
}
