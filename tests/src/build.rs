//! Builds the binary and the plugins for the tests, with the profile and target folder of the
//! tests.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns the folder of the binary and the plugin libraries. The first call in a process builds
/// them.
///
/// # Panics
/// Panics if the build fails.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // <target folder>/<profile>/deps/<this test>, or <target folder>/<profile>/<this program>
        let program = std::env::current_exe().unwrap();
        let parent = program.parent().unwrap();
        let folder = if parent.ends_with("deps") { parent.parent().unwrap() } else { parent }.to_owned();
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

/// Returns a cargo command in the root of the checkout, with the environment of a user.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    remove_crate_variables(&mut command);
    command
}

/// Removes the variables that `cargo test` sets for the crate of the test, because they would make
/// build scripts run again.
pub(crate) fn remove_crate_variables(command: &mut Command) {
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

/// Returns the path of a built library.
///
/// # Panics
/// Panics if the build fails.
pub fn library(name: &str) -> PathBuf {
    folder().join(library_file(name))
}

/// Returns the path of the host's binary.
pub fn host() -> PathBuf {
    folder().join("oculus-host")
}

/// Returns a typical plugins folder, with LightGBM and the rule extractor.
///
/// # Panics
/// Panics if a built library is missing.
pub fn plugins() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED.get_or_init(|| publish("usual", &["oculus_plugin_lightgbm", "oculus_plugin_rules"])).clone()
}

/// Returns a folder with every plugin of the project.
///
/// # Panics
/// Panics if a built library is missing.
pub fn families() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    let names = ["lightgbm", "linear", "lstm", "mlp", "rules"].map(|name| format!("oculus_plugin_{name}"));
    let libraries = names.each_ref().map(String::as_str);
    PUBLISHED.get_or_init(|| publish("families", &libraries)).clone()
}

/// Returns a folder with LightGBM and the misbehaving family.
///
/// # Panics
/// Panics if a built library is missing.
pub fn plugins_with_misbehaving() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED
        .get_or_init(|| publish("with-misbehaving", &["oculus_plugin_lightgbm", "oculus_test_misbehaving"]))
        .clone()
}

/// Returns a folder with LightGBM, the project's rule extractor, and an extractor of a third party.
///
/// # Panics
/// Panics if a built library is missing.
pub fn plugins_with_extractors() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    let libraries = ["oculus_plugin_lightgbm", "oculus_plugin_rules", "oculus_test_extractor"];
    PUBLISHED.get_or_init(|| publish("with-extractors", &libraries)).clone()
}

/// Returns a folder with LightGBM and the family that claims a GPU.
///
/// # Panics
/// Panics if a built library is missing.
pub fn plugins_with_accelerated() -> PathBuf {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED
        .get_or_init(|| publish("with-accelerated", &["oculus_plugin_lightgbm", "oculus_test_accelerated"]))
        .clone()
}

/// Returns the parent of all these plugins folders.
pub fn published() -> PathBuf {
    folder().join("plugins-of-tests")
}

/// Returns a folder with LightGBM, the rule extractor and one more library, which is not from the
/// build.
///
/// # Panics
/// Panics if the library does not exist.
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

/// Copies a library into a folder below the build folder, so that no temporary folder has to be
/// removed. The copy is renamed into place, so that tests of another process never read a partial
/// library.
fn publish_file(name: &str, library: &Path) -> PathBuf {
    let file = library.file_name().unwrap().to_str().unwrap();
    let plugins = published().join(name);
    let stem = file.trim_start_matches(DLL_PREFIX).trim_end_matches(DLL_SUFFIX);
    let unfinished = folder().join(format!("{name}-{file}.{}", std::process::id()));
    std::fs::create_dir_all(plugins.join(stem)).unwrap();
    std::fs::copy(library, &unfinished).unwrap();
    std::fs::rename(unfinished, plugins.join(stem).join(file)).unwrap();
    plugins
}
