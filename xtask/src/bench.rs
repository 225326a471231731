//! Runs the benchmarks of `bench/`, which write their tables to `docs/benchmarks.md`, or to
//! `docs/reliability.md` for the comparison of queues.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::cargo::{build, build_dir, cargo};
use crate::shell::{root, run};
use crate::{plugins, setup};

/// Python packages that the benchmarks compare with this program, and packages that they use. Their
/// versions are pinned, so that runs are comparable.
const PACKAGES: [&str; 7] =
    ["TA-Lib==0.8.2", "numpy==2.4.6", "pandas==3.1.1", "celery==5.7.0", "packaging==26.3", "redis==8.1.0", "rq==3.0.0"];

/// Plugins of this project whose start is measured.
const FAMILIES: [&str; 5] = ["lightgbm", "linear", "mlp", "lstm", "rules"];

/// A benchmark.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Benchmark {
    /// Time of features, compared with TA-Lib and pandas
    Features,
    /// Time and memory of ten million rows
    Memory,
    /// Time from the start of a plugin process to its first fit
    Plugins,
    /// Dispatch of jobs, compared with RQ, Celery and apalis
    Queues,
    /// Time of each stage of the example job
    Stages,
    /// Verdicts on synthetic panels: 100 without an edge, 40 with a planted edge
    Verdicts,
}

/// Builds the workspace and runs one benchmark.
pub(crate) fn measure(bench: Benchmark) -> Result<()> {
    setup::run()?;
    build()?;
    let programs = build_dir()?;
    let host = programs.join("oculus-host");
    let feature_times = programs.join("feature_times");
    let plugin_start = programs.join("plugin_start");
    let docs = root().join("docs");
    let plugins = root().join("plugins");
    match bench {
        Benchmark::Features => run(script(&python_with_packages()?, "features.py").arg(feature_times).arg(docs)),
        Benchmark::Memory => run(python("memory.py").arg(host).arg(feature_times).arg(docs)),
        Benchmark::Plugins => run(python("plugins.py").arg(plugin_start).arg(docs).args(plugin_libraries(&programs)?)),
        Benchmark::Queues => {
            plugins::publish(&[])?;
            let apalis = build_apalis_worker()?;
            run(script(&python_with_packages()?, "queues.py").arg(host).arg(plugins).arg(apalis).arg(docs))
        }
        Benchmark::Stages => {
            plugins::publish(&[])?;
            run(python("stages.py").arg(host).arg(plugins).arg(root()).arg(docs))
        }
        Benchmark::Verdicts => {
            plugins::publish(&[])?;
            run(python("verdicts.py").arg(host).arg(plugins).arg(docs))
        }
    }
}

/// Returns a command that runs a script of `bench/` with the system's Python.
fn python(name: &str) -> Command {
    script(Path::new("python3"), name)
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    // Without -B, Python would write its cache into the checkout.
    command.arg("-B").arg(root().join("bench").join(name));
    command
}

/// Builds the example plugin, and returns all plugin libraries to measure.
fn plugin_libraries(programs: &Path) -> Result<Vec<PathBuf>> {
    let mut libraries = build_third_party_example()?;
    libraries.extend(FAMILIES.map(|name| programs.join(library(name))));
    Ok(libraries)
}

/// Builds the example plugin with two profiles: `release`, for shipping, and `dev`, for its
/// author's own runs.
fn build_third_party_example() -> Result<Vec<PathBuf>> {
    let folder = root().join("examples/logistic");
    let target = folder.join("target");
    // The crate is not in the workspace, so it is built separately, like the crate of a third
    // party.
    for profile in ["release", "dev"] {
        let mut command = cargo();
        command.args(["build", "--profile", profile]).arg("--manifest-path").arg(folder.join("Cargo.toml"));
        run(command.arg("--target-dir").arg(&target))?;
    }
    Ok(["release", "debug"].map(|profile| target.join(profile).join(library("logistic"))).to_vec())
}

/// Builds the worker of apalis, and returns its program.
fn build_apalis_worker() -> Result<PathBuf> {
    let folder = root().join("bench/apalis");
    let target = folder.join("target");
    // The crate is not in the workspace, so that the project does not depend on apalis.
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    run(command.arg("--target-dir").arg(&target))?;
    Ok(target.join("release/apalis-worker"))
}

fn library(name: &str) -> String {
    format!("{DLL_PREFIX}oculus_plugin_{name}{DLL_SUFFIX}")
}

/// Returns the Python of a virtual environment with the pinned packages. Creates the environment if
/// it is absent or has other versions.
fn python_with_packages() -> Result<PathBuf> {
    let folder = root().join(".tools/bench");
    let python = folder.join("bin/python");
    // The file lists the installed packages. It is written last, so an interrupted installation is
    // repeated.
    let stamp = folder.join("packages");
    let packages = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == packages) {
        return Ok(python);
    }
    eprintln!("bench: fetching {} into {}", PACKAGES.join(", "), folder.display());
    create_environment(&folder, &python).context("cannot create the virtual environment of the benchmarks")?;
    std::fs::write(stamp, packages)?;
    Ok(python)
}

fn create_environment(folder: &Path, python: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    // Only wheels are installed, because building TA-Lib from source would require its C library.
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    run(Command::new(python).args(install).args(PACKAGES))
}
