//! Builds crates outside the workspace as a third party does. The builds use plain cargo and
//! dependencies that are already downloaded.
//!
//! In: a crate's folder. Out: the built file. All builds of one compiler share a target folder
//! below the target folder of the workspace, so that dependencies are built once. Cargo's lock on
//! the folder serialises test processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use parking_lot::Mutex;

use crate::build;

/// The root of the checkout.
pub const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The compiler of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// The toolchain of the workspace, with its optimisation.
    Workspace,
    /// Another toolchain of rustup, by its name.
    Toolchain(String),
    /// The toolchain of the workspace with other flags.
    Flags(&'static str),
}

impl Compiler {
    /// Returns an installed release that differs from the release of the workspace and is new
    /// enough for the plugin API. If there is no such release, returns the workspace's release with
    /// other flags for optimisation, code units and frame pointers.
    ///
    /// # Panics
    /// Panics if the compiler of the workspace does not print its release.
    pub fn other() -> Self {
        let ours = release(Command::new("rustc")).unwrap();
        let listed = Command::new("rustup").args(["toolchain", "list", "--quiet"]).output();
        let listed = listed.map(|listed| String::from_utf8(listed.stdout).unwrap()).unwrap_or_default();
        let minimum = numbers(env!("CARGO_PKG_RUST_VERSION")).unwrap();
        let is_other = |release: (u32, u32)| release != ours && release >= minimum;
        let other = listed.lines().find(|name| release(run_by(name, "rustc")).is_some_and(is_other));
        let other = other.map(|name| Self::Toolchain(name.to_owned()));
        other.unwrap_or(Self::Flags("-C opt-level=1 -C codegen-units=1 -C force-frame-pointers=yes"))
    }

    fn cargo(&self) -> Command {
        let mut command = match self {
            Self::Toolchain(name) => run_by(name, "cargo"),
            Self::Workspace | Self::Flags(_) => {
                Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            }
        };
        build::remove_crate_variables(&mut command);
        for ours in ["CARGO", "CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            command.env_remove(ours);
        }
        if let Self::Flags(flags) = self {
            command.env("RUSTFLAGS", flags);
        }
        // The optimisation of the workspace's profile, without debug information and incremental
        // builds.
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.env("CARGO_INCREMENTAL", "0");
        command
    }

    fn target(&self) -> PathBuf {
        let folder = match self {
            Self::Workspace => "outside".to_owned(),
            Self::Toolchain(name) => format!("outside-{name}"),
            Self::Flags(_) => "outside-flags".to_owned(),
        };
        target().join(folder)
    }
}

/// Returns a program of another toolchain, without the environment of this toolchain.
fn run_by(toolchain: &str, program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, program]);
    for ours in ["RUSTUP_TOOLCHAIN", "RUSTC", "LD_LIBRARY_PATH"] {
        command.env_remove(ours);
    }
    command
}

/// Returns the major and minor version of a compiler, if it runs.
fn release(mut rustc: Command) -> Option<(u32, u32)> {
    let version = String::from_utf8(rustc.arg("-vV").output().ok()?.stdout).ok()?;
    numbers(version.lines().find_map(|line| line.strip_prefix("release: "))?)
}

/// Parses the major and minor version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Returns the target folder of the workspace, which contains the test binary.
fn target() -> PathBuf {
    // <target folder>/<profile>/deps/<this test>
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// Returns the path of a folder for a crate that a test writes.
pub fn crate_folder(name: &str) -> PathBuf {
    target().join("outside/crates").join(name)
}

/// Returns the sources of a folder and its subfolders by their relative paths, without files that
/// cargo generates.
///
/// # Panics
/// Panics if a file cannot be read.
pub fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let name = PathBuf::from(entry.file_name());
        let path = entry.path();
        if path.is_dir() && name != Path::new("target") {
            found.extend(sources(&path).into_iter().map(|(inner, text)| (name.join(inner), text)));
        } else if path.is_file() && !is_generated_or_unfinished(&name) {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn is_generated_or_unfinished(name: &Path) -> bool {
    name == Path::new("Cargo.lock") || name.to_string_lossy().starts_with(UNFINISHED)
}

/// Makes a folder contain exactly these sources. An unchanged file keeps its modification time, so
/// that cargo does not build the crate again.
///
/// # Panics
/// Panics if a file cannot be written.
pub fn write_sources(folder: &Path, files: &[(PathBuf, String)]) {
    fs::create_dir_all(folder).unwrap();
    for (old, _) in sources(folder).iter().filter(|(old, _)| files.iter().all(|(file, _)| file != old)) {
        // Another test may have removed the file already.
        _ = fs::remove_file(folder.join(old));
    }
    files.iter().for_each(|(file, text)| write(&folder.join(file), text));
}

/// Writes a file atomically, because tests of this and other processes may write the same file.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    let temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).unwrap();
    fs::write(&temporary, text).unwrap();
    temporary.persist(path).unwrap();
}

/// Prefix of the names of incomplete files.
const UNFINISHED: &str = ".unfinished-";

/// Builds the crate in a folder and returns its library.
///
/// # Panics
/// Panics if the build fails.
pub fn library(folder: &Path, compiler: &Compiler) -> PathBuf {
    let name = crate_name(folder).replace('-', "_");
    built(folder, compiler).join(build::library_file(&name))
}

/// Builds the crate in a folder and returns its program.
///
/// # Panics
/// Panics if the build fails.
pub fn program(folder: &Path) -> PathBuf {
    built(folder, &Compiler::Workspace).join(crate_name(folder))
}

/// Runs the tests of the crate in a folder.
///
/// # Panics
/// Panics if a test fails.
pub fn test(folder: &Path) {
    cargo(folder, "test", &Compiler::Workspace);
}

fn built(folder: &Path, compiler: &Compiler) -> PathBuf {
    cargo(folder, "build", compiler);
    compiler.target().join("debug")
}

/// One run of cargo at a time: crates share a target folder, and doc tests read its libraries after
/// cargo has released its lock, when another crate's run may replace them.
static CARGO: Mutex<()> = Mutex::new(());

/// Runs cargo on a crate with the dependency versions of the workspace, which are already
/// downloaded.
fn cargo(folder: &Path, command: &str, compiler: &Compiler) {
    write(&folder.join("Cargo.lock"), &fs::read_to_string(Path::new(CHECKOUT).join("Cargo.lock")).unwrap());
    let mut cargo = compiler.cargo();
    cargo.args([command, "--quiet", "--offline", "--target-dir"]).arg(compiler.target()).current_dir(folder);
    let output = {
        let _turn = CARGO.lock();
        cargo.output().unwrap()
    };
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "cargo {command} in {} with {compiler:?} failed: {text}", folder.display());
}

fn crate_name(folder: &Path) -> String {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    name.and_then(|name| name.strip_suffix('"')).expect("a crate has a name").to_owned()
}
