//! Installs the tools that the build and the tests need in addition to Rust, into `.tools/` or as
//! system packages.
//!
//! Out: the tools, and `.tools/env.toml`. `.cargo/config.toml` includes this file, so that plain
//! cargo finds the tools. Environment variables of the user take precedence. Installed tools are
//! not touched, so a second run changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use self::checkers::Checkers;
use self::packages::{has, system_package};
pub(crate) use self::redis_servers::RedisServer;
use self::wheels::Dependencies;
use crate::shell::{output, root};

mod checkers;
mod libtorch;
mod packages;
mod redis_servers;
mod wheels;

/// CMake version that the build of LightGBM requires. Debian 12 has an older version.
const CMAKE_WHEEL: &str = "cmake>=3.28,<5";
/// libclang version that bindgen loads when LightGBM is built.
const LIBCLANG_WHEEL: &str = "libclang>=16,<19";

/// Installs the missing tools, and prints each step.
pub(crate) fn run() -> Result<()> {
    let tools = root().join(".tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    ensure_compiler()?;
    let cmake = if is_set_by_user("CMAKE", &tools) { None } else { Some(fetch_cmake(&tools)?) };
    let libclang = if is_set_by_user("LIBCLANG_PATH", &tools) { None } else { Some(fetch_libclang(&tools)?) };
    let libtorch = if is_set_by_user("LIBTORCH", &tools) { None } else { Some(libtorch::fetch(&tools)?) };
    let found = [("CMAKE", cmake), ("LIBCLANG_PATH", libclang), ("LIBTORCH", libtorch)];
    write_env(&tools, &found)?;
    ensure_redis_server()
}

/// Returns the programs of `cargo xtask check`; installs those that are absent.
pub(crate) fn checkers() -> Result<Checkers> {
    checkers::fetch(&root().join(".tools"))
}

/// Returns the servers with which the tests of the queue run in addition to the installed
/// redis-server; installs those that are absent.
pub(crate) fn redis_servers() -> Result<Vec<RedisServer>> {
    redis_servers::fetch(&root().join(".tools"))
}

/// Installs Graphviz, which draws the diagrams of the docs.
pub(crate) fn ensure_graphviz() -> Result<()> {
    let found = || has("dot");
    if found() {
        return Ok(());
    }
    system_package("Graphviz", &[("apt-get", "graphviz"), ("dnf", "graphviz"), ("brew", "graphviz")], found)
}

/// Installs the C and C++ compilers that LightGBM is built with.
fn ensure_compiler() -> Result<()> {
    if has("cc") && has("c++") {
        return Ok(());
    }
    if cfg!(target_os = "macos") {
        bail!("no C++ compiler found; install Apple's command line tools: xcode-select --install");
    }
    system_package("a C++ compiler", &[("apt-get", "build-essential"), ("dnf", "gcc-c++")], || has("c++"))
}

/// Returns whether the variable names a tool that the user installed, outside `.tools`.
fn is_set_by_user(variable: &str, tools: &Path) -> bool {
    // Under `cargo xtask`, cargo has set the variable from `.tools/env.toml`, unless the user had
    // set it.
    let tools = tools.canonicalize().unwrap_or_default();
    let path = std::env::var_os(variable).and_then(|path| Path::new(&path).canonicalize().ok());
    path.is_some_and(|path| !path.starts_with(tools))
}

/// Installs CMake from a Python wheel, and returns the path of its program.
fn fetch_cmake(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("cmake");
    let binary = folder.join("cmake/data/bin/cmake");
    // A program that exists but does not run, for example after an interrupted installation, is
    // installed again.
    if output(Command::new(&binary).arg("--version")).is_none() {
        wheels::unpack("CMake", CMAKE_WHEEL, &folder, Dependencies::Skip)?;
    }
    if output(Command::new(&binary).arg("--version")).is_none() {
        bail!("cannot run {}; delete {} and try again", binary.display(), folder.display());
    }
    Ok(binary)
}

/// Installs libclang from a Python wheel, and returns its folder.
fn fetch_libclang(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("libclang");
    let native = folder.join("clang/native");
    let library = native.join(if cfg!(target_os = "macos") { "libclang.dylib" } else { "libclang.so" });
    if !library.exists() {
        wheels::unpack("libclang", LIBCLANG_WHEEL, &folder, Dependencies::Skip)?;
    }
    if !library.exists() {
        bail!(
            "the libclang wheel does not contain {}; set LIBCLANG_PATH to the folder of an installed libclang",
            library.display()
        );
    }
    Ok(native)
}

/// Installs redis-server, which the demo and the tests start.
fn ensure_redis_server() -> Result<()> {
    let found = || has("redis-server");
    if found() {
        return Ok(());
    }
    system_package("redis-server", &[("apt-get", "redis-server"), ("dnf", "redis"), ("brew", "redis")], found)
}

/// Writes `.tools/env.toml`, unless the file already has the same content.
fn write_env(tools: &Path, found: &[(&str, Option<PathBuf>)]) -> Result<()> {
    let root = root();
    let mut text =
        String::from("# Written by `cargo xtask setup`. Variables of your environment take precedence.\n[env]\n");
    for (name, path) in found.iter().filter_map(|(name, path)| Some((name, path.as_deref()?))) {
        // Cargo resolves relative paths, so they stay valid if the checkout is moved.
        let relative = path.strip_prefix(&root).unwrap_or(path);
        text += &format!("{name} = {{ value = {:?}, relative = true }}\n", relative.display().to_string());
    }
    if cfg!(target_os = "linux") {
        // The libclang wheel does not contain the compiler's headers, so bindgen would not find
        // stddef.h.
        let include =
            output(Command::new("cc").arg("-print-file-name=include")).context("cannot get the header folder of cc")?;
        text += &format!("BINDGEN_EXTRA_CLANG_ARGS = {:?}\n", format!("-isystem {}", include.trim()));
    }
    let file = tools.join("env.toml");
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    eprintln!("setup: writing {}", file.display());
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
