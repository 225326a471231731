//! Selects the environment variables of a child process.
//!
//! In: the variables of this process. Out: the variables of the child. Invariant: secrets are never
//! passed on. A variable is passed on only if it is listed here or names the folder of a native
//! library.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use tracing::level_filters::LevelFilter;

/// Names of the variables that programs and native libraries need to run.
const INHERITED_NAMES: [&str; 10] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "RUST_BACKTRACE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
];

/// Returns the variables of a child process: the inherited ones, and `LOG_LEVEL` with the log level
/// of this process.
pub fn child_environment() -> impl Iterator<Item = (OsString, OsString)> {
    // The level may come from a flag or a file, so this process's own `LOG_LEVEL` could have
    // another value.
    let level = LevelFilter::current().to_string();
    let inherited = std::env::vars_os().filter(|(name, value)| is_inherited(name, value));
    inherited.chain([("LOG_LEVEL".into(), level.into())])
}

fn is_inherited(name: &OsStr, value: &OsStr) -> bool {
    INHERITED_NAMES.iter().any(|inherited| name == *inherited) || is_library_root(name, value)
}

/// Returns whether a variable names the folder of a native library, such as `LIBXYZ=/opt/libxyz`
/// with the library in `/opt/libxyz/lib/`.
pub fn is_library_root(name: &OsStr, value: &OsStr) -> bool {
    // Plugins bring libraries that this list cannot name in advance. The value must be an existing
    // folder, so a secret in a variable named `LIB…` is not passed on.
    let letters = name.to_str().and_then(|name| name.strip_prefix("LIB")).unwrap_or_default();
    let is_name = !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_name && Path::new(value).is_absolute() && Path::new(value).join("lib").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_root_is_an_absolute_folder_with_a_lib_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        let is_root = |name: &str, value: &Path| is_library_root(name.as_ref(), value.as_os_str());
        assert!(is_root("LIBXYZ", folder.path()) && is_root("LIBX11", folder.path()));
        let other_names = ["LIB", "LIBRARY_PATH", "LIBxyz", "PATH"];
        assert!(other_names.iter().all(|name| !is_root(name, folder.path())), "names of other variables");
        let wrong_values = [folder.path().join("lib"), "lib".into(), "".into()];
        assert!(
            wrong_values.iter().all(|value| !is_root("LIBXYZ", value)),
            "values other than the absolute path of a folder that contains lib/"
        );
    }

    #[test]
    fn a_secret_is_not_inherited() {
        let absolute = OsStr::new("/");
        for name in ["POLYGON_API_KEY", "REDIS_URL", "LIBRARY_TOKEN", "LOG_LEVEL"] {
            assert!(!is_inherited(name.as_ref(), absolute), "{name}");
        }
        assert!(is_inherited("PATH".as_ref(), absolute));
    }
}
