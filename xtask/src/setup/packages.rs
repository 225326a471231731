//! Installs system packages with the package manager that is present.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{output, run as run_command};

/// Installs a package with the first package manager that is present; `candidates` are (manager, package).
pub(super) fn system_package(what: &str, candidates: &[(&str, &str)], found: impl Fn() -> bool) -> Result<()> {
    let Some((manager, package)) = candidates.iter().find(|(manager, _)| has(manager)) else {
        let names: Vec<_> =
            candidates.iter().map(|(manager, package)| format!("{manager} install {package}")).collect();
        bail!(
            "{what} is missing and no known package manager is present; install it, for example by `{}`",
            names.join("` or `")
        );
    };
    let by_hand = format!("{}{manager} install {package}", if *manager == "brew" { "" } else { "sudo " });
    eprintln!("setup: installing {what} ({package}) with {manager}");
    let installed = install(manager, package);
    if let Err(error) = installed.and_then(|()| if found() { Ok(()) } else { bail!("still not found after it") }) {
        bail!("{what} is missing and could not be installed ({error:#}); install it by `{by_hand}` and run this again");
    }
    Ok(())
}

fn install(manager: &str, package: &str) -> Result<()> {
    match manager {
        "apt-get" => {
            // An old package list may name files that no longer exist; after a failed refresh it may still be usable.
            let _ = run_command(as_root("apt-get")?.args(["update", "-qq"]));
            let mut apt = as_root("apt-get")?;
            apt.args(["install", "-y", "-qq", "--no-install-recommends", package]);
            run_command(apt.env("DEBIAN_FRONTEND", "noninteractive"))
        }
        "dnf" => run_command(as_root("dnf")?.args(["install", "-y", "--quiet", package])),
        _ => run_command(Command::new(manager).args(["install", package])),
    }
}

/// Returns a command that runs as root: directly, or by sudo if sudo needs no password.
fn as_root(program: &str) -> Result<Command> {
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|uid| uid.trim() == "0");
    if is_root {
        return Ok(Command::new(program));
    }
    if output(Command::new("sudo").args(["-n", "true"])).is_none() {
        bail!("this needs root, and sudo is missing or asks for a password");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    Ok(sudo)
}

/// Returns whether a program is on the path.
pub(super) fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
