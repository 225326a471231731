//! Installs system packages with the package manager of the machine.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{output, run as run_command};

/// Installs a package with the first available package manager.
///
/// * `name`: the name in messages.
/// * `candidates`: pairs of a package manager and the name of the package in it.
/// * `found`: returns whether the package is installed.
pub(super) fn system_package(name: &str, candidates: &[(&str, &str)], found: impl Fn() -> bool) -> Result<()> {
    let Some((manager, package)) = candidates.iter().find(|(manager, _)| has(manager)) else {
        let names: Vec<_> =
            candidates.iter().map(|(manager, package)| format!("{manager} install {package}")).collect();
        bail!(
            "cannot find {name} or a known package manager; install {name}, for example with `{}`",
            names.join("` or `")
        );
    };
    let install_command = format!("{}{manager} install {package}", if *manager == "brew" { "" } else { "sudo " });
    eprintln!("setup: installing {name} ({package}) with {manager}");
    let installed = install(manager, package);
    if let Err(error) =
        installed.and_then(|()| if found() { Ok(()) } else { bail!("not found after the installation") })
    {
        bail!("cannot install {name} ({error:#}); install it with `{install_command}` and try again");
    }
    Ok(())
}

fn install(manager: &str, package: &str) -> Result<()> {
    match manager {
        "apt-get" => {
            // An old package list may name files that no longer exist, so it is updated first. If
            // that fails, for example because one repository is unreachable, the list may still be
            // usable.
            let _ = run_command(as_root("apt-get")?.args(["update", "-qq"]));
            let mut apt = as_root("apt-get")?;
            apt.args(["install", "-y", "-qq", "--no-install-recommends", package]);
            // Without this variable, the configuration of a package may ask a question and wait for
            // the answer.
            run_command(apt.env("DEBIAN_FRONTEND", "noninteractive"))
        }
        "dnf" => run_command(as_root("dnf")?.args(["install", "-y", "--quiet", package])),
        _ => run_command(Command::new(manager).args(["install", package])),
    }
}

/// Returns a command that runs as root, with sudo if necessary.
fn as_root(program: &str) -> Result<Command> {
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|uid| uid.trim() == "0");
    if is_root {
        return Ok(Command::new(program));
    }
    // With `-n`, sudo fails if it requires a password, instead of waiting for one.
    if output(Command::new("sudo").args(["-n", "true"])).is_none() {
        bail!("root permission is required, and sudo is absent or requires a password");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    Ok(sudo)
}

/// Returns whether a program is in a folder of `PATH`.
pub(super) fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
