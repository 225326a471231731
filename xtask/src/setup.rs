//! Fetches what the build and the tests need beyond Rust, into `.tools/` or by the system's packages.
//!
//! Out: `.tools/env.toml`, which `.cargo/config.toml` includes, so that plain cargo finds the tools. The user's own
//! environment variables win over it. A piece that is there is left alone, so a second run does nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::packages::{has, system_package};
use self::wheels::Needs;
use crate::shell::{output, root};

mod libtorch;
mod packages;
mod wheels;

/// LightGBM's build asks for this CMake; Debian 12 brings an older one.
const CMAKE_WHEEL: &str = "cmake>=3.28,<5";
/// bindgen loads this at LightGBM's build.
const LIBCLANG_WHEEL: &str = "libclang>=16,<19";

/// Sets up everything, saying what it does.
pub fn run() -> Result<()> {
    let tools = root().join(".tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    compiler()?;
    let cmake = if is_users_own("CMAKE", &tools) { None } else { Some(cmake(&tools)?) };
    let libclang = if is_users_own("LIBCLANG_PATH", &tools) { None } else { Some(libclang(&tools)?) };
    let libtorch = if is_users_own("LIBTORCH", &tools) { None } else { Some(libtorch::place(&tools)?) };
    let found = [("CMAKE", cmake), ("LIBCLANG_PATH", libclang), ("LIBTORCH", libtorch)];
    write_env(&tools, &found)?;
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

/// Whether the user names a tool of their own, rather than cargo one of ours.
fn is_users_own(variable: &str, tools: &Path) -> bool {
    let tools = tools.canonicalize().unwrap_or_default();
    let path = std::env::var_os(variable).and_then(|path| Path::new(&path).canonicalize().ok());
    path.is_some_and(|path| !path.starts_with(tools))
}

/// A CMake that is new enough, as a Python wheel.
fn cmake(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("cmake");
    let binary = folder.join("cmake/data/bin/cmake");
    if output(Command::new(&binary).arg("--version")).is_none() {
        wheels::unpack("CMake", CMAKE_WHEEL, &folder, Needs::Nothing)?;
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
        wheels::unpack("libclang", LIBCLANG_WHEEL, &folder, Needs::Nothing)?;
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

fn write_env(tools: &Path, found: &[(&str, Option<PathBuf>)]) -> Result<()> {
    let root = root();
    let mut text =
        String::from("# Written by `cargo xtask setup`. Variables of your own environment win over these.\n[env]\n");
    for (name, path) in found.iter().filter_map(|(name, path)| Some((name, path.as_deref()?))) {
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
