//! Where the system's loader looks for the shared libraries that a plugin needs.
//!
//! Told by the environment, since the loader reads it once, at the start of a process. Before what this process was given
//! itself come `$LIBTORCH/lib` and the folders that the published library names: its private copy lies elsewhere, so
//! that an `$ORIGIN` in its own search path means nothing there.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The variable's name.
const SEARCH_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The variable for a child that opens a library with these folders; `None` where the inherited one will do.
pub(super) fn search_path(dirs: &[PathBuf]) -> Option<(&'static str, OsString)> {
    let libtorch = std::env::var_os("LIBTORCH").filter(|folder| !folder.is_empty());
    let libtorch = libtorch.map(|folder| Path::new(&folder).join("lib"));
    let first: Vec<&Path> = libtorch.iter().chain(dirs).map(PathBuf::as_path).collect();
    if first.is_empty() {
        return None;
    }
    Some((SEARCH_PATH, joined(&first, std::env::var_os(SEARCH_PATH).as_deref())))
}

fn joined(first: &[&Path], inherited: Option<&OsStr>) -> OsString {
    let folders = first.iter().map(|folder| folder.as_os_str());
    // An empty entry would mean the working folder.
    let all = folders.chain(inherited).filter(|entry| !entry.is_empty());
    all.collect::<Vec<_>>().join(OsStr::new(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugins_own_folders_come_before_what_was_inherited() {
        let path = |first: &[&str], inherited: Option<&str>| {
            let first: Vec<&Path> = first.iter().map(Path::new).collect();
            joined(&first, inherited.map(OsStr::new))
        };
        assert_eq!(path(&["/opt/libtorch/lib"], None), "/opt/libtorch/lib");
        assert_eq!(path(&["/opt/libtorch/lib", "/plugins/lstm"], Some("")), "/opt/libtorch/lib:/plugins/lstm");
        assert_eq!(path(&["/plugins/lstm", ""], Some("/a:/b")), "/plugins/lstm:/a:/b");
    }
}
