//! Builds what the tests run: the binary and the plugins, in the profile and folder of the tests themselves.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder that holds the binary and the plugins' libraries; built on the first call of this process.
///
/// # Panics
/// When the build fails.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // <target folder>/<profile>/deps/<this test>
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap().to_owned();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut command = cargo();
        command.args(["build", "--quiet", "--workspace", "--profile", profile, "--target-dir"]);
        command.arg(folder.parent().unwrap()).status().unwrap().success().then_some(folder)
    });
    folder.as_deref().expect("`cargo build --workspace` failed: its errors are above")
}

/// Cargo in the root of the checkout, as a user calls it.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    forget_this_crate(&mut command);
    command
}

/// Takes away what `cargo test` tells a test of itself; build scripts that look at it would run once more.
pub(crate) fn forget_this_crate(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_this_crate(&name.to_string_lossy())) {
        command.env_remove(name);
    }
}

fn is_about_this_crate(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| variable.starts_with(start))
}

/// Returns the name of a library's file.
pub fn library_file(name: &str) -> String {
    format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

/// Returns a library that the build made.
///
/// # Panics
/// When the build fails.
pub fn library(name: &str) -> PathBuf {
    folder().join(library_file(name))
}

/// The host's binary.
pub fn host() -> PathBuf {
    folder().join("oculus-host")
}

/// A folder of plugins as a user would have it, with LightGBM and the rule extractor.
///
/// # Panics
/// When the build has left no such library.
pub fn plugins() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED.get_or_init(|| publish("usual", &["oculus_plugin_lightgbm", "oculus_plugin_rules"])).clone()
}

/// A folder with every plugin of the project.
///
/// # Panics
/// When the build has left no such libraries.
pub fn families() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    let libraries = ["oculus_plugin_lightgbm", "oculus_plugin_lstm", "oculus_plugin_mlp", "oculus_plugin_rules"];
    PUBLISHED.get_or_init(|| publish("families", &libraries)).clone()
}

/// A folder with LightGBM and the family that misbehaves.
///
/// # Panics
/// When the build has left no such libraries.
pub fn plugins_with_misbehaving() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED
        .get_or_init(|| publish("with-misbehaving", &["oculus_plugin_lightgbm", "oculus_test_misbehaving"]))
        .clone()
}

/// A folder with LightGBM, the project's rule extractor, and one of somebody else.
///
/// # Panics
/// When the build has left no such libraries.
pub fn plugins_with_extractors() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    let libraries = ["oculus_plugin_lightgbm", "oculus_plugin_rules", "oculus_test_extractor"];
    PUBLISHED.get_or_init(|| publish("with-extractors", &libraries)).clone()
}

/// A folder with LightGBM and the family that claims a GPU.
///
/// # Panics
/// When the build has left no such libraries.
pub fn plugins_with_accelerated() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED
        .get_or_init(|| publish("with-accelerated", &["oculus_plugin_lightgbm", "oculus_test_accelerated"]))
        .clone()
}

/// The folder that all folders of plugins lie in.
pub fn published() -> PathBuf {
    folder().join("plugins-of-tests")
}

/// A folder with LightGBM, the rule extractor and one more library, which the build has not made.
///
/// # Panics
/// When the library is not there.
pub fn with_library(name: &str, library: &Path) -> PathBuf {
    publish(name, &["oculus_plugin_lightgbm", "oculus_plugin_rules"]);
    publish_file(name, library)
}

fn publish(name: &str, libraries: &[&str]) -> PathBuf {
    for library in libraries {
        publish_file(name, &self::library(library));
    }
    published().join(name)
}

/// In the build's own folder, so that nothing is left behind; renamed into place, so that tests of another process find
/// every library whole.
fn publish_file(name: &str, library: &Path) -> PathBuf {
    let (file, plugins) = (library.file_name().unwrap().to_str().unwrap(), published().join(name));
    let stem = file.trim_start_matches(DLL_PREFIX).trim_end_matches(DLL_SUFFIX);
    let unfinished = folder().join(format!("{name}-{file}.{}", std::process::id()));
    std::fs::create_dir_all(plugins.join(stem)).unwrap();
    std::fs::copy(library, &unfinished).unwrap();
    std::fs::rename(unfinished, plugins.join(stem).join(file)).unwrap();
    plugins
}
