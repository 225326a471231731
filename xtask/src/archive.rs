//! Builds the plugin of the archive: a binary of plugin API 1.0 that every later host has to load.
//!
//! Made once for each platform and committed; never made anew while the API is 1.x, since it stands for the plugins that
//! are out there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::shell::{output, root, run};

/// Builds the archive's family and puts its library into the folder of this platform.
pub fn make() -> Result<()> {
    let source = root().join("tests/archive/base-rate");
    let target = root().join("target/archive");
    let archived = root().join("tests/archive").join(platform()?).join(file("archive_1_0"));
    if archived.exists() {
        bail!("{} is there, and stands for the plugins of its day: it is never made anew", archived.display());
    }
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--manifest-path"]).arg(source.join("Cargo.toml"));
    build.arg("--target-dir").arg(&target).env("RUSTFLAGS", without_places()?);
    run(&mut build)?;
    fs::create_dir_all(archived.parent().context("no folder")?)?;
    fs::copy(target.join("release").join(file("archive_base_rate")), &archived)
        .with_context(|| format!("cannot write {}", archived.display()))?;
    eprintln!("archive: wrote {}; commit it, with its SHA-256 in tests/archive/README.md", archived.display());
    Ok(())
}

/// The library of a crate of this project.
fn file(name: &str) -> PathBuf {
    format!("{}oculus_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX).into()
}

/// The compiler's name for this platform, such as `x86_64-unknown-linux-gnu`.
fn platform() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV")).context("rustc -vV failed")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Flags that keep the folders of this machine out of the binary.
fn without_places() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("no home folder")?;
    let mut places = vec![root()];
    let registries = fs::read_dir(home.join("registry/src")).context("cargo has downloaded nothing yet")?;
    places.extend(registries.filter_map(|registry| Some(registry.ok()?.path())));
    let remap = |place: &PathBuf| format!("--remap-path-prefix={}=.", place.display());
    Ok(places.iter().map(remap).collect::<Vec<_>>().join(" "))
}
