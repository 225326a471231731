//! The environment variables that a child process gets.
//!
//! In: the variables of this process. Out: those that a child may see.
//! Invariant: nothing secret is passed on: a variable that is not listed here, and is not the
//! folder of a native library, is left out.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use tracing::level_filters::LevelFilter;

/// Variables that programs and native libraries need to run.
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

/// Returns the variables of a child: what programs and native libraries need to run, and this
/// process's log level.
pub fn child_environment() -> impl Iterator<Item = (OsString, OsString)> {
    let level = LevelFilter::current().to_string();
    let inherited = std::env::vars_os().filter(|(name, value)| is_inherited(name, value));
    inherited.chain([("LOG_LEVEL".into(), level.into())])
}

fn is_inherited(name: &OsStr, value: &OsStr) -> bool {
    INHERITED_NAMES.iter().any(|inherited| name == *inherited) || is_library_root(name, value)
}

/// Returns whether a variable names the folder of a native library, such as `LIBXYZ=/opt/libxyz`,
/// whose `lib/` holds it.
pub fn is_library_root(name: &OsStr, value: &OsStr) -> bool {
    let letters = name.to_str().and_then(|name| name.strip_prefix("LIB")).unwrap_or_default();
    let is_name = !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_name && Path::new(value).is_absolute() && Path::new(value).join("lib").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_with_libraries_is_the_root_of_a_native_library() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        let is_root = |name: &str, value: &Path| is_library_root(name.as_ref(), value.as_os_str());
        assert!(is_root("LIBXYZ", folder.path()) && is_root("LIBX11", folder.path()));
        let others = ["LIB", "LIBRARY_PATH", "LIBxyz", "PATH"];
        assert!(others.iter().all(|name| !is_root(name, folder.path())), "the names of other variables");
        let elsewhere = [folder.path().join("lib"), "lib".into(), "".into()];
        assert!(elsewhere.iter().all(|value| !is_root("LIBXYZ", value)), "a secret, or another folder");
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
