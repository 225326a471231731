//! The folders in which the system's loader searches for the shared libraries that a plugin needs.
//!
//! Set by the environment, since the loader reads it once, when a process starts. First come the folders of native
//! libraries that the environment names (`LIBXYZ=/opt/libxyz` for `/opt/libxyz/lib`), then those that the published
//! library names: its private copy is in another folder, so an `$ORIGIN` in its own search path has no meaning there. Last
//! comes the search path that this process has inherited.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use oculus_system::child::is_library_root;

/// The variable that the loader reads.
const SEARCH_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// Returns the variable for a child that opens a library with these folders; `None` if the inherited one will do.
pub(super) fn search_path(dirs: &[PathBuf]) -> Option<(&'static str, OsString)> {
    let mut roots: Vec<_> = std::env::vars_os().filter(|(name, value)| is_library_root(name, value)).collect();
    roots.sort();
    let roots: Vec<_> = roots.into_iter().map(|(_, root)| Path::new(&root).join("lib")).collect();
    let first: Vec<&Path> = roots.iter().chain(dirs).map(PathBuf::as_path).collect();
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
        assert_eq!(path(&["/opt/libxyz/lib"], None), "/opt/libxyz/lib");
        assert_eq!(path(&["/opt/libxyz/lib", "/plugins/xyz"], Some("")), "/opt/libxyz/lib:/plugins/xyz");
        assert_eq!(path(&["/plugins/xyz", ""], Some("/a:/b")), "/plugins/xyz:/a:/b");
    }
}
