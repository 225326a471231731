//! Installs the programs of `cargo xtask check` that are not part of Rust: typos and cargo-deny.
//!
//! Out: typos in `.tools/`, from a Python wheel; cargo-deny in the user's cache folder, built from
//! source. In `.tools/`, each fresh checkout would build cargo-deny again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::wheels::{self, Dependencies};
use crate::cargo::cargo;
use crate::shell::{output, run as run_command};

/// The version of typos. It is pinned, because another version may know other words.
const TYPOS_WHEEL: &str = "typos==1.52.0";
/// The version of cargo-deny. `deny.toml` has the configuration format of this version.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The installed programs.
pub(crate) struct Checkers {
    /// The spelling checker.
    pub(crate) typos: PathBuf,
    /// The checker of licences, sources and duplicate versions.
    pub(crate) cargo_deny: PathBuf,
}

/// Returns the installed programs. Installs those that are absent.
pub(super) fn fetch(tools: &Path) -> Result<Checkers> {
    Ok(Checkers { typos: fetch_typos(tools)?, cargo_deny: build_cargo_deny()? })
}

fn fetch_typos(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("typos");
    let program = folder.join("bin/typos");
    let version = TYPOS_WHEEL.rsplit('=').next().unwrap_or_default();
    let is_current =
        || output(Command::new(&program).arg("--version")).is_some_and(|found| found.trim().ends_with(version));
    if !is_current() {
        wheels::unpack("typos", TYPOS_WHEEL, &folder, Dependencies::Skip)?;
    }
    if !is_current() {
        bail!("cannot run {}; delete {} and try again", program.display(), folder.display());
    }
    Ok(program)
}

fn build_cargo_deny() -> Result<PathBuf> {
    let folder = cache_folder()?.join("oculus-host/tools").join(format!("cargo-deny-{CARGO_DENY_VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("setup: building cargo-deny {CARGO_DENY_VERSION} into {}", folder.display());
    let mut install = cargo();
    // A build without optimisation takes a third of the time, and a check takes two seconds.
    install.args([
        "install",
        "cargo-deny",
        "--quiet",
        "--locked",
        "--debug",
        "--version",
        CARGO_DENY_VERSION,
        "--root",
    ]);
    install.arg(&folder).env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Without this variable cargo builds in a temporary folder and removes it. The workspace's
    // target folder would keep the dependencies of cargo-deny.
    install.env_remove("CARGO_TARGET_DIR");
    run_command(&mut install).context("cannot build cargo-deny")?;
    Ok(program)
}

/// Returns the cache folder of the user.
fn cache_folder() -> Result<PathBuf> {
    let from = |variable| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")));
    folder.context("neither XDG_CACHE_HOME nor HOME is set; set XDG_CACHE_HOME to a folder for build tools")
}
