//! Opens a plugin library and compares the layout of its types with the layout that this host
//! expects.
//!
//! Invariant: called only in a plugin process, because a library may crash, exit or hang when it is
//! opened.

use std::ffi::OsStr;
use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeader, AbiHeaderRef, LibHeader, LibraryError, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use abi_stable::sabi_types::VersionStrings;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use oculus_plugin_api::abi::Module_Ref;

/// The reason why a library cannot be used as a plugin of this host.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A shared library that the plugin needs is not installed.
    #[error("needs the shared library `{library}`, which {}", remedy(.library))]
    Missing {
        /// File name of the missing library.
        library: String,
    },
    /// The system's loader cannot open the file. Contains the loader's message.
    #[error("cannot be opened as a library: {0}")]
    Open(String),
    /// The library has no module header.
    #[error(
        "is not an oculus plugin: it has no module header; export one with `export_family!` or `export_extractor!`"
    )]
    NotAPlugin,
    /// The library was built with an incompatible abi_stable or for another C ABI.
    #[error("was built for another plugin ABI: {}", other_abi(.0))]
    Abi(LibraryError),
    /// The library does not export a type layout, so its layout cannot be checked.
    #[error("exports no type layout; build it without disabling the layout check of abi_stable")]
    NoLayout,
    /// The type layout or the major version of the plugin API is incompatible with this host.
    #[error("has a type layout that is incompatible with this host's plugin API: {0}")]
    Layout(String),
    /// The plugin's initialisation failed.
    #[error("failed to initialise ({})", last_lines(.0))]
    Start(LibraryError),
}

impl LoadError {
    /// Returns whether the cause is outside the library, so that a later attempt may succeed.
    pub fn is_transient(&self) -> bool {
        // A shortage of memory for thread-local variables depends on the library, not on the
        // machine.
        if self.cause_of_open_error().contains(STATIC_TLS) {
            return false;
        }
        match self {
            Self::Missing { .. } => true,
            // The system's loader reports its errors only as text.
            Self::Open(_) => {
                let cause = self.cause_of_open_error().to_lowercase();
                ["cannot allocate memory", "too many open files"].iter().any(|shortage| cause.contains(shortage))
            }
            _ => false,
        }
    }
}

impl LoadError {
    /// Returns the message of the system's loader, or an empty text for another error.
    pub fn cause_of_open_error(&self) -> &str {
        match self {
            Self::Open(cause) => cause,
            _ => "",
        }
    }
}

/// The words of glibc for a shortage of memory for thread-local variables.
pub const STATIC_TLS: &str = "static TLS";

/// Opens the library at `path` and initialises its module. The library stays open until the process
/// terminates.
///
/// # Errors
/// Returns [`LoadError`] if the library cannot be used. The error message continues a sentence that
/// begins with the file's name.
pub fn load(path: &Path) -> Result<Module_Ref, LoadError> {
    let header = open(path)?;
    let theirs = header.layout().ok_or(LoadError::NoLayout)?;
    check_version(header.version_strings())?;
    match header.ensure_layout::<Module_Ref>() {
        Ok(()) => header.init_root_module::<Module_Ref>().map_err(LoadError::Start),
        // abi_stable rejects a module with fewer fields than the host's type, such as the module of
        // an older plugin. With the two layouts swapped, the check succeeds if every field of the
        // plugin has the offset and type that the host expects.
        Err(_) => {
            check_layout_compatibility(theirs, <Module_Ref as StableAbi>::LAYOUT)
                .map_err(|error| LoadError::Layout(last_lines(&error)))?;
            // SAFETY: the layouts were just checked. Fields that the plugin lacks are read as
            // absent.
            unsafe { header.init_root_module_with_unchecked_layout::<Module_Ref>() }.map_err(LoadError::Start)
        }
    }
}

fn open(path: &Path) -> Result<&'static LibHeader, LoadError> {
    // RTLD_NOW reports a missing function here instead of during a job. RTLD_LOCAL keeps the
    // symbols of different native engines apart.
    //
    // SAFETY: the library's constructors run in this process, which exists only for this library.
    let library =
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| open_error(path, &error))?;
    // SAFETY: the symbol of this name is a static `LibHeader`, whose magic and version `upgrade`
    // checks before any use.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) };
    let header = *header.map_err(|_| LoadError::NotAPlugin)?;
    // The library is never closed, because `header` and everything that the plugin returns refer to
    // its memory.
    std::mem::forget(library);
    header.upgrade().map_err(LoadError::Abi)
}

/// Returns the error for a file that the system's loader cannot open: [`LoadError::Missing`] if the
/// loader names a missing library.
fn open_error(path: &Path, error: &libloading::Error) -> LoadError {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    match missing_library(&cause) {
        // If the plugin file does not exist, the loader names it as the missing library.
        Some(library) if !path.ends_with(library) => LoadError::Missing { library: library.to_owned() },
        _ => LoadError::Open(with_short_path(&cause, path)),
    }
}

/// Replaces the path of the plugin by its file name. Loaders repeat the path, the store's paths are
/// long, and the cause comes last.
fn with_short_path(message: &str, path: &Path) -> String {
    match (path.to_str(), path.file_name().and_then(OsStr::to_str)) {
        (Some(path), Some(name)) => message.replace(path, name),
        _ => message.to_owned(),
    }
}

/// Returns the name of the missing library in an error message of the system's loader (glibc, musl
/// or macOS). A name that no package can contain shows that the plugin file is damaged, so such a
/// name is not a missing library.
fn missing_library(message: &str) -> Option<&str> {
    let glibc = || message.split_once(": cannot open shared object file").map(|(library, _)| library);
    let musl = || message.split_once("Error loading shared library ")?.1.split_once(':').map(|(library, _)| library);
    let macos = || message.split_once("Library not loaded: ")?.1.lines().next();
    let library = glibc().or_else(musl).or_else(macos)?;
    let is_printable = |character: char| !character.is_control() && character != char::REPLACEMENT_CHARACTER;
    library.rsplit('/').next().map(str::trim).filter(|name| !name.is_empty() && name.chars().all(is_printable))
}

/// Returns the end of an error message: where the loader searched for a missing library, and the
/// remedy.
fn remedy(library: &str) -> String {
    let variable = root_variable(library);
    format!(
        "is neither in the plugin's own search path nor in ${variable}/lib nor in the system's search path; install its \
         package, run `cargo xtask setup` for a plugin of this project, or set {variable} to a folder whose lib/ contains \
         it"
    )
}

/// Returns the name of the environment variable that contains the folder of a native library:
/// `LIBXYZ` for `libxyz_cpu.so`.
fn root_variable(library: &str) -> String {
    let stem = library.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    stem.to_ascii_uppercase()
}

/// Compares the major versions of the plugin API, so that the error names the versions instead of a
/// layout difference.
fn check_version(theirs: VersionStrings) -> Result<(), LoadError> {
    let ours = <Module_Ref as abi_stable::library::RootModule>::VERSION_STRINGS;
    let major = |version: VersionStrings| version.parsed().map(|parsed| parsed.major);
    match (major(ours), major(theirs)) {
        (Ok(our_major), Ok(their_major)) if our_major == their_major => Ok(()),
        _ => Err(LoadError::Layout(format!("found plugin API {}, expected {}", theirs.version, ours.version))),
    }
}

/// Describes an incompatibility below the plugin API: in abi_stable itself or in the C ABI.
fn other_abi(error: &LibraryError) -> String {
    let LibraryError::InvalidAbiHeader(theirs) = error else { return last_lines(error) };
    let ours = AbiHeader::VALUE;
    if theirs.magic_string != ours.magic_string {
        return "its header does not begin with the magic string of abi_stable".to_owned();
    }
    format!(
        "found abi_stable {}.{}, expected {}.{}; build it with the oculus-plugin-api of this host",
        theirs.abi_major, theirs.abi_minor, ours.abi_major, ours.abi_minor
    )
}

/// Returns the last lines of an error, joined to one line. A layout error has hundreds of lines;
/// the last ones state the expected and the found layout.
fn last_lines(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_library_is_read_from_the_messages_of_every_loader() {
        let messages = [
            "libtorch_cpu.so: cannot open shared object file: No such file or directory",
            "Error loading shared library libtorch_cpu.so: No such file or directory (needed by /p/libx.so)",
            "dlopen(/p/x.dylib, 0x2): Library not loaded: @rpath/libtorch_cpu.so\n  Referenced from: /p/x.dylib",
        ];
        assert!(messages.iter().all(|message| missing_library(message) == Some("libtorch_cpu.so")));
        assert_eq!(missing_library("/p/libx.so: invalid ELF header"), None);
    }

    #[test]
    fn a_name_with_unprintable_characters_is_not_a_missing_library() {
        for name in ["li\u{FFFD}m.so.6", "lib\u{1b}.so"] {
            let message = format!("{name}: cannot open shared object file: No such file or directory");
            assert_eq!(missing_library(&message), None);
        }
    }

    #[test]
    fn the_error_of_a_missing_library_states_the_searched_places_and_the_remedy() {
        let message = LoadError::Missing { library: "libtorch_cpu.so".to_owned() }.to_string();
        for expected in ["`libtorch_cpu.so`", "own search path", "$LIBTORCH/lib", "cargo xtask setup"] {
            assert!(message.contains(expected), "{message}");
        }
        let other = LoadError::Missing { library: "libgomp.so.1".to_owned() }.to_string();
        assert!(other.contains("set LIBGOMP") && other.contains("install"), "{other}");
    }

    #[test]
    fn a_message_of_the_loader_names_the_plugin_by_its_file_name() {
        let path = Path::new("/home/user/.local/state/oculus-host/plugins/store/0123/libx.so");
        let message = format!("{}: undefined symbol: engine_fit", path.display());
        assert_eq!(with_short_path(&message, path), "libx.so: undefined symbol: engine_fit");
    }

    #[test]
    fn a_missing_plugin_is_not_reported_as_a_missing_shared_library() {
        let error = load(Path::new("/nowhere/libplugin.so")).map(|_| ()).unwrap_err();
        assert!(matches!(error, LoadError::Open(_)), "{error:?}");
    }
}
