//! Builds the archived plugin: a binary of plugin API 1.0 that every later host must load.
//!
//! The binary is built once per platform and committed. It is never rebuilt while the API is 1.x,
//! because it represents the plugins that third parties have already shipped.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::shell::{output, root, run};

/// Builds the archived plugin and copies its library into the folder of this platform.
pub(crate) fn build() -> Result<()> {
    let source = root().join("tests/abi_frozen/base-rate");
    let target = root().join("target/archive");
    let archived = root().join("tests/abi_frozen").join(target_triple()?).join(library("archive_1_0"));
    if archived.exists() {
        bail!("{} already exists and must not be rebuilt", archived.display());
    }
    // With its own lock file, the archived plugin does not depend on the dependencies of the
    // workspace.
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--manifest-path"]).arg(source.join("Cargo.toml"));
    command.arg("--target-dir").arg(&target).env("RUSTFLAGS", path_remap_flags()?);
    run(&mut command)?;
    fs::create_dir_all(archived.parent().context("the archive has no folder")?)?;
    fs::copy(target.join("release").join(library("archive_base_rate")), &archived)
        .with_context(|| format!("cannot write {}", archived.display()))?;
    eprintln!("archive: wrote {}; commit it, with its SHA-256 in tests/abi_frozen/README.md", archived.display());
    Ok(())
}

/// Returns the file name of the library of a crate.
fn library(name: &str) -> PathBuf {
    format!("{}oculus_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX).into()
}

/// Returns the target triple of this platform, such as `x86_64-unknown-linux-gnu`.
fn target_triple() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV")).context("rustc -vV failed")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV prints no host")?.to_owned())
}

/// Returns compiler flags that keep the paths of this machine out of the binary.
fn path_remap_flags() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("cannot find the home folder")?;
    let mut folders = vec![root()];
    let registries =
        fs::read_dir(home.join("registry/src")).context("cannot read the sources that cargo downloaded")?;
    folders.extend(registries.filter_map(|registry| Some(registry.ok()?.path())));
    let remap = |folder: &PathBuf| format!("--remap-path-prefix={}=.", folder.display());
    Ok(folders.iter().map(remap).collect::<Vec<_>>().join(" "))
}
