//! The folders in which the system's loader searches for the shared libraries that a plugin needs.
//!
//! An environment variable passes these folders to the loader, which reads it once, when a process
//! starts. The order is:
//!
//! 1. The folders that environment variables name for native libraries: `LIBXYZ=/opt/libxyz` names
//!    `/opt/libxyz/lib`.
//! 2. The search path of the published library. Its private copy is in another folder, so an
//!    `$ORIGIN` in the copy would refer to the wrong folder.
//! 3. The search path that this process has inherited.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use oculus_system::child::is_library_root;

/// The environment variable that the system's loader reads.
const SEARCH_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// Returns the environment variable (name and value) that lets a child find libraries in these
/// folders, or `None` if the inherited search path needs no further folder.
pub(super) fn search_path(dirs: &[PathBuf]) -> Option<(&'static str, OsString)> {
    let mut roots: Vec<_> = std::env::vars_os().filter(|(name, value)| is_library_root(name, value)).collect();
    // The folders are sorted, because the order of environment variables is undefined and the
    // search path must not vary.
    roots.sort();
    let roots: Vec<_> = roots.into_iter().map(|(_, root)| Path::new(&root).join("lib")).collect();
    let added: Vec<&Path> = roots.iter().chain(dirs).map(PathBuf::as_path).collect();
    if added.is_empty() {
        return None;
    }
    Some((SEARCH_PATH, join(&added, std::env::var_os(SEARCH_PATH).as_deref())))
}

/// Joins the added folders and the inherited search path.
fn join(added: &[&Path], inherited: Option<&OsStr>) -> OsString {
    let folders = added.iter().map(|folder| folder.as_os_str());
    // The loader treats an empty entry as the working folder, from which a plugin must not load
    // libraries.
    let all = folders.chain(inherited).filter(|entry| !entry.is_empty());
    all.collect::<Vec<_>>().join(OsStr::new(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_plugin_precede_the_inherited_search_path() {
        let path = |added: &[&str], inherited: Option<&str>| {
            let added: Vec<&Path> = added.iter().map(Path::new).collect();
            join(&added, inherited.map(OsStr::new))
        };
        assert_eq!(path(&["/opt/libxyz/lib"], None), "/opt/libxyz/lib");
        assert_eq!(path(&["/opt/libxyz/lib", "/plugins/xyz"], Some("")), "/opt/libxyz/lib:/plugins/xyz");
        assert_eq!(path(&["/plugins/xyz", ""], Some("/a:/b")), "/plugins/xyz:/a:/b");
    }
}
