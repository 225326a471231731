//! Opens a plugin library and compares the layout of its types with this host's.
//!
//! Called only in a plugin process, because a library may crash, exit or hang when it is opened.

use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeader, AbiHeaderRef, LibHeader, LibraryError, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use abi_stable::sabi_types::VersionStrings;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use oculus_plugin_api::abi::Module_Ref;

/// Why a library cannot be used as a plugin of this host.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A shared library that the plugin needs is not installed.
    #[error("needs the shared library `{library}`, which cannot be found {}", remedy(.library))]
    Missing {
        /// File name of the missing library.
        library: String,
    },
    /// The system's loader cannot open the file.
    #[error("cannot be opened as a library")]
    Open(#[source] libloading::Error),
    /// The library has no module header.
    #[error("is no oculus plugin: it has no module header; export one with `export_family!`")]
    NotAPlugin,
    /// Built with an incompatible abi_stable or for another C ABI.
    #[error("was built for another plugin ABI: {}", other_abi(.0))]
    Abi(LibraryError),
    /// The plugin exports no type layout, so it cannot be checked.
    #[error("exports no type layout; build it without opting out of the layout check")]
    NoLayout,
    /// The type layout or the major version of the API differs from this host's.
    #[error("has a layout that does not fit this host's plugin API: {0}")]
    Layout(String),
    /// The plugin's initialisation failed.
    #[error("failed at its start ({})", last_line(.0))]
    Start(LibraryError),
}

impl LoadError {
    /// Returns whether something outside the library is missing, so that another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::Open(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                let cause = cause.to_lowercase();
                ["cannot allocate memory", "too many open files"].iter().any(|lack| cause.contains(lack))
            }
            _ => false,
        }
    }
}

/// Opens the library at `path` and initialises its module. The library stays open until the process ends.
///
/// # Errors
/// [`LoadError`], whose message continues a sentence that begins with the file's name.
pub fn load(path: &Path) -> Result<Module_Ref, LoadError> {
    let header = open(path)?;
    let theirs = header.layout().ok_or(LoadError::NoLayout)?;
    check_version(header.version_strings())?;
    match header.ensure_layout::<Module_Ref>() {
        Ok(()) => header.init_root_module::<Module_Ref>().map_err(LoadError::Start),
        // An older plugin has fewer fields than this host, which abi_stable refuses. With the roles swapped, the check
        // succeeds if the host finds every field of the plugin in its place.
        Err(_) => {
            check_layout_compatibility(theirs, <Module_Ref as StableAbi>::LAYOUT)
                .map_err(|error| LoadError::Layout(last_line(&error)))?;
            // SAFETY: the layouts were just checked; fields that the plugin lacks read as absent.
            unsafe { header.init_root_module_with_unchecked_layout::<Module_Ref>() }.map_err(LoadError::Start)
        }
    }
}

fn open(path: &Path) -> Result<&'static LibHeader, LoadError> {
    // RTLD_NOW: a missing function is an error here, not in the middle of a job. RTLD_LOCAL: the symbols of different
    // engines do not mix.
    // SAFETY: the library's constructors run in this process, which exists only for this library.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| refusal(path, error))?;
    // SAFETY: the symbol of this name is a static `LibHeader`, whose magic and version `upgrade` checks before any use.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) };
    let header = *header.map_err(|_| LoadError::NotAPlugin)?;
    std::mem::forget(library);
    header.upgrade().map_err(LoadError::Abi)
}

/// Returns the error for a file that the system's loader cannot open; [`LoadError::Missing`] if it names a missing
/// library.
fn refusal(path: &Path, error: libloading::Error) -> LoadError {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    match missing_library(&cause) {
        Some(library) if !path.ends_with(library) => LoadError::Missing { library: library.to_owned() },
        _ => LoadError::Open(error),
    }
}

/// Returns the library that a message of the system's loader names as missing: of glibc, musl or macOS.
fn missing_library(message: &str) -> Option<&str> {
    let glibc = || message.split_once(": cannot open shared object file").map(|(library, _)| library);
    let musl = || message.split_once("Error loading shared library ")?.1.split_once(':').map(|(library, _)| library);
    let macos = || message.split_once("Library not loaded: ")?.1.lines().next();
    let library = glibc().or_else(musl).or_else(macos)?;
    library.rsplit('/').next().map(str::trim).filter(|name| !name.is_empty())
}

/// Returns where a missing library is searched for, and what to do.
fn remedy(library: &str) -> String {
    let variable = root_variable(library);
    format!(
        "in the plugin's own search path, in ${variable}/lib, or where the system's loader looks: install what it belongs \
         to, run `cargo xtask setup` for a plugin of this project, or set {variable} to a folder whose lib/ holds it"
    )
}

/// Returns the variable that names the folder of a native library: `LIBXYZ` for `libxyz_cpu.so`.
fn root_variable(library: &str) -> String {
    let stem = library.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    stem.to_ascii_uppercase()
}

fn check_version(theirs: VersionStrings) -> Result<(), LoadError> {
    let ours = <Module_Ref as abi_stable::library::RootModule>::VERSION_STRINGS;
    let major = |version: VersionStrings| version.parsed().map(|parsed| parsed.major);
    match (major(ours), major(theirs)) {
        (Ok(our_major), Ok(their_major)) if our_major == their_major => Ok(()),
        _ => Err(LoadError::Layout(format!("it has plugin API {}, this host {}", theirs.version, ours.version))),
    }
}

/// Describes the difference below the plugin API: in abi_stable itself, or in the C ABI.
fn other_abi(error: &LibraryError) -> String {
    let LibraryError::InvalidAbiHeader(theirs) = error else { return last_line(error) };
    let ours = AbiHeader::VALUE;
    if theirs.magic_string != ours.magic_string {
        return "its header does not begin as abi_stable's do".to_owned();
    }
    format!(
        "it has abi_stable {}.{}, this host {}.{}; build it with this host's oculus-plugin-api",
        theirs.abi_major, theirs.abi_minor, ours.abi_major, ours.abi_minor
    )
}

/// Returns the last lines of an error in one line. A layout error has hundreds of lines; the last ones name what was
/// expected and found.
fn last_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_found_in_the_messages_of_every_loader() {
        let messages = [
            "libtorch_cpu.so: cannot open shared object file: No such file or directory",
            "Error loading shared library libtorch_cpu.so: No such file or directory (needed by /p/libx.so)",
            "dlopen(/p/x.dylib, 0x2): Library not loaded: @rpath/libtorch_cpu.so\n  Referenced from: /p/x.dylib",
        ];
        assert!(messages.iter().all(|message| missing_library(message) == Some("libtorch_cpu.so")));
        assert_eq!(missing_library("/p/libx.so: invalid ELF header"), None);
    }

    #[test]
    fn the_refusal_of_a_missing_library_states_where_it_is_searched_for_and_what_to_do() {
        let refusal = LoadError::Missing { library: "libtorch_cpu.so".to_owned() }.to_string();
        for needed in ["`libtorch_cpu.so`", "own search path", "$LIBTORCH/lib", "cargo xtask setup"] {
            assert!(refusal.contains(needed), "{refusal}");
        }
        let other = LoadError::Missing { library: "libgomp.so.1".to_owned() }.to_string();
        assert!(other.contains("set LIBGOMP") && other.contains("install"), "{other}");
    }

    #[test]
    fn a_missing_plugin_is_not_reported_as_a_missing_shared_library() {
        let error = load(Path::new("/nowhere/libplugin.so")).map(|_| ()).unwrap_err();
        assert!(matches!(error, LoadError::Open(_)), "{error:?}");
    }
}
