//! Benchmarks, whose results are pages of `docs/`.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::cargo::{built, cargo};
use crate::shell::{root, run};
use crate::{plugins, setup};

/// What the benchmarks compare with, pinned.
const PACKAGES: [&str; 3] = ["TA-Lib==0.8.2", "numpy==2.4.6", "pandas==3.1.1"];

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Bench {
    /// Time of features beside TA-Lib and pandas
    Features,
    /// Time and memory of ten million rows
    Memory,
    /// Time from the start of a plugin process to its first fit
    Plugins,
    /// Time of each stage of the example job
    Stages,
    /// Verdicts on panels whose truth is known: a hundred without an edge, some with a planted one
    Verdicts,
}

/// Builds what is measured and measures it.
pub fn measure(what: Bench) -> Result<()> {
    setup::run()?;
    run(cargo().args(["build", "--workspace", "--bins", "--examples"]))?;
    let python = environment()?;
    let (programs, docs, published) = (built()?, root().join("docs"), root().join("plugins"));
    let host = programs.join("oculus-host");
    let times = programs.join("examples/feature_times");
    let script = |name: &str| {
        let mut command = Command::new(&python);
        command.arg(root().join("host/benches").join(name));
        command
    };
    match what {
        Bench::Features => run(script("features.py").arg(times).arg(docs)),
        Bench::Memory => run(script("memory.py").arg(host).arg(times).arg(docs)),
        Bench::Plugins => {
            let mut libraries = third_partys()?;
            libraries.extend(FAMILIES.map(|name| programs.join(library(name))));
            run(script("plugins.py").arg(programs.join("examples/plugin_start")).arg(docs).args(libraries))
        }
        Bench::Stages => {
            plugins::publish(&[])?;
            run(script("stages.py").arg(host).arg(published).arg(root()).arg(docs))
        }
        Bench::Verdicts => {
            plugins::publish(&[])?;
            run(script("verdicts.py").arg(host).arg(published).arg(docs))
        }
    }
}

/// This project's plugins.
const FAMILIES: [&str; 4] = ["lightgbm", "mlp", "lstm", "rules"];

/// The example of a third party's plugin, as it ships and as its author builds it all day.
fn third_partys() -> Result<Vec<PathBuf>> {
    let folder = root().join("examples/logistic");
    let target = folder.join("target");
    let build = |profile: &str| {
        let manifest = folder.join("Cargo.toml");
        let mut command = cargo();
        command.args(["build", "--profile", profile]).arg("--manifest-path").arg(manifest);
        run(command.arg("--target-dir").arg(&target))
    };
    build("release")?;
    build("dev")?;
    Ok(["release", "debug"].map(|profile| target.join(profile).join(library("logistic"))).to_vec())
}

fn library(name: &str) -> String {
    format!("{DLL_PREFIX}oculus_plugin_{name}{DLL_SUFFIX}")
}

/// The Python of a virtual environment that has the packages; made where it is not there.
fn environment() -> Result<PathBuf> {
    let folder = root().join(".tools/bench");
    let (python, stamp) = (folder.join("bin/python"), folder.join("packages"));
    let packages = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == packages) {
        return Ok(python);
    }
    eprintln!("bench: fetching {} into {}", PACKAGES.join(", "), folder.display());
    make(&folder, &python).context("cannot make the virtual environment of the benchmarks")?;
    std::fs::write(stamp, packages)?;
    Ok(python)
}

fn make(folder: &Path, python: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let quietly = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    run(Command::new(python).args(quietly).args(PACKAGES))
}
