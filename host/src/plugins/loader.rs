//! Opens one plugin library and checks its layout against this host's, both ways.
//!
//! Called in a plugin process only: a library may crash, exit or hang as soon as it is opened.

use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use abi_stable::sabi_types::VersionStrings;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use oculus_plugin_api::abi::Module_Ref;

/// Why a library is no plugin of this host.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system's loader refused the file.
    #[error("cannot be opened as a library")]
    Open(#[source] libloading::Error),
    /// The library says nothing of being a plugin.
    #[error("is no oculus plugin: it has no module header; export one with `export_family!`")]
    NotAPlugin(#[source] libloading::Error),
    /// Made with another abi_stable, or another major version of the plugin API.
    #[error("was built for another plugin ABI, this host has {} ({})", env!("CARGO_PKG_VERSION"), last_line(.0))]
    Abi(LibraryError),
    /// The plugin keeps its layout to itself, so nothing can be checked.
    #[error("exports no type layout; build it without opting out of the layout check")]
    NoLayout,
    /// Laid out differently from what this host expects.
    #[error("has a layout that does not fit this host's plugin API: {0}")]
    Layout(String),
    /// The plugin's own start failed.
    #[error("failed at its start ({})", last_line(.0))]
    Start(LibraryError),
}

/// Opens the library at `path` and starts its module. The library is never closed again: the process ends instead.
///
/// # Errors
/// [`LoadError`], in words that fit after the file's name.
pub fn load(path: &Path) -> Result<Module_Ref, LoadError> {
    let header = open(path)?;
    let theirs = header.layout().ok_or(LoadError::NoLayout)?;
    check_version(header.version_strings())?;
    match header.ensure_layout::<Module_Ref>() {
        Ok(()) => header.init_root_module::<Module_Ref>().map_err(LoadError::Start),
        // An older plugin has fewer fields than this host, which abi_stable refuses; with the roles swapped its check
        // says whether all that the plugin has is where the host looks for it.
        Err(_) => {
            check_layout_compatibility(theirs, <Module_Ref as StableAbi>::LAYOUT)
                .map_err(|error| LoadError::Layout(last_line(&error)))?;
            // SAFETY: the layouts were just checked; fields that the plugin lacks read as absent.
            unsafe { header.init_root_module_with_unchecked_layout::<Module_Ref>() }.map_err(LoadError::Start)
        }
    }
}

fn open(path: &Path) -> Result<&'static LibHeader, LoadError> {
    // RTLD_NOW: a missing function shows here, not in the middle of a job. RTLD_LOCAL: engines keep their symbols apart.
    // SAFETY: the library's constructors run in this process, which exists for nothing else.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(LoadError::Open)?;
    // SAFETY: abi_stable's name denotes a static `LibHeader`, whose magic and version `upgrade` checks before any use.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) };
    let header = *header.map_err(LoadError::NotAPlugin)?;
    std::mem::forget(library);
    header.upgrade().map_err(LoadError::Abi)
}

fn check_version(theirs: VersionStrings) -> Result<(), LoadError> {
    let ours = <Module_Ref as abi_stable::library::RootModule>::VERSION_STRINGS;
    let major = |version: VersionStrings| version.parsed().map(|parsed| parsed.major);
    match (major(ours), major(theirs)) {
        (Ok(our_major), Ok(their_major)) if our_major == their_major => Ok(()),
        _ => Err(LoadError::Layout(format!("it has plugin API {}, this host {}", theirs.version, ours.version))),
    }
}

/// Layout errors run to hundreds of lines; the last ones name what was expected and found.
fn last_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" ")
}
