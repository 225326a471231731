//! Fetches what the build and the tests need beyond Rust, into `.tools/` or by the system's packages.
//!
//! Out: `.tools/env.toml`, which `.cargo/config.toml` includes, so that plain cargo finds the tools. The user's own
//! environment variables win over it. A piece that is there is left alone, so a second run does nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{output, root, run as run_command};

/// LightGBM's build asks for this CMake; Debian 12 brings an older one.
const CMAKE_WHEEL: &str = "cmake>=3.28,<5";
/// bindgen loads this at LightGBM's build.
const LIBCLANG_WHEEL: &str = "libclang>=16,<19";

/// Sets up everything, saying what it does.
pub fn run() -> Result<()> {
    let tools = root().join(".tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    compiler()?;
    let cmake = cmake(&tools)?;
    let libclang = libclang(&tools)?;
    write_env(&tools, &cmake, &libclang)?;
    redis_server()
}

/// The C and C++ compilers that LightGBM is built with.
fn compiler() -> Result<()> {
    if has("cc") && has("c++") {
        return Ok(());
    }
    if cfg!(target_os = "macos") {
        bail!("no C++ compiler found; install Apple's command line tools: xcode-select --install");
    }
    system_package("a C++ compiler", &[("apt-get", "build-essential"), ("dnf", "gcc-c++")], || has("c++"))
}

/// A CMake that is new enough, as a Python wheel.
fn cmake(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("cmake");
    let binary = folder.join("cmake/data/bin/cmake");
    if output(Command::new(&binary).arg("--version")).is_none() {
        wheel("CMake", CMAKE_WHEEL, &folder)?;
    }
    if output(Command::new(&binary).arg("--version")).is_none() {
        bail!("{} does not run; delete {} and try again", binary.display(), folder.display());
    }
    Ok(binary)
}

/// The folder of libclang, as a Python wheel.
fn libclang(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("libclang");
    let native = folder.join("clang/native");
    let library = native.join(if cfg!(target_os = "macos") { "libclang.dylib" } else { "libclang.so" });
    if !library.exists() {
        wheel("libclang", LIBCLANG_WHEEL, &folder)?;
    }
    if !library.exists() {
        bail!("the libclang wheel brought no {}; set LIBCLANG_PATH to your own", library.display());
    }
    Ok(native)
}

fn redis_server() -> Result<()> {
    let found = || has("redis-server");
    if found() {
        return Ok(());
    }
    system_package("redis-server", &[("apt-get", "redis-server"), ("dnf", "redis"), ("brew", "redis")], found)
}

/// Installs one Python wheel into a folder of its own; needs no virtual environment.
fn wheel(what: &str, requirement: &str, folder: &Path) -> Result<()> {
    if output(Command::new("python3").args(["-m", "pip", "--version"])).is_none() {
        let pip = || output(Command::new("python3").args(["-m", "pip", "--version"])).is_some();
        system_package("Python's pip", &[("apt-get", "python3-pip"), ("dnf", "python3-pip"), ("brew", "python")], pip)?;
    }
    eprintln!("setup: fetching {what} into {}", folder.display());
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--no-warn-script-location",
        "--root-user-action=ignore",
    ])
    .args(["--disable-pip-version-check", "--only-binary", ":all:", "--target"])
    .arg(folder)
    .arg(requirement);
    run_command(&mut pip).with_context(|| format!("cannot fetch {what}"))
}

/// Installs a package by the first package manager that is there; `candidates` are (manager, package).
fn system_package(what: &str, candidates: &[(&str, &str)], found: impl Fn() -> bool) -> Result<()> {
    let Some((manager, package)) = candidates.iter().find(|(manager, _)| has(manager)) else {
        let names: Vec<_> =
            candidates.iter().map(|(manager, package)| format!("{manager} install {package}")).collect();
        bail!(
            "{what} is missing and no known package manager is there; install it, for example by `{}`",
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
            // An old package list names files that are gone; a failed refresh may still leave a usable list.
            let _ = run_command(as_root("apt-get")?.args(["update", "-qq"]));
            let mut apt = as_root("apt-get")?;
            apt.args(["install", "-y", "-qq", "--no-install-recommends", package]);
            run_command(apt.env("DEBIAN_FRONTEND", "noninteractive"))
        }
        "dnf" => run_command(as_root("dnf")?.args(["install", "-y", "--quiet", package])),
        _ => run_command(Command::new(manager).args(["install", package])),
    }
}

/// A command as root: directly, or by sudo where that asks for no password.
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

fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn write_env(tools: &Path, cmake: &Path, libclang: &Path) -> Result<()> {
    let root = root();
    let mut text =
        String::from("# Written by `cargo xtask setup`. Variables of your own environment win over these.\n[env]\n");
    for (name, path) in [("CMAKE", cmake), ("LIBCLANG_PATH", libclang)] {
        let relative = path.strip_prefix(&root).unwrap_or(path);
        text += &format!("{name} = {{ value = {:?}, relative = true }}\n", relative.display().to_string());
    }
    if cfg!(target_os = "linux") {
        // The wheel has no built-in headers: bindgen would not find stddef.h.
        let include =
            output(Command::new("cc").arg("-print-file-name=include")).context("cannot ask cc for its headers")?;
        text += &format!("BINDGEN_EXTRA_CLANG_ARGS = {:?}\n", format!("-isystem {}", include.trim()));
    }
    let file = tools.join("env.toml");
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    eprintln!("setup: writing {}", file.display());
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
