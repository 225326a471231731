//! Explains why the system's loader cannot open a library, and decides who is at fault.
//!
//! The loader returns only text. The causes below are read from the library's own headers instead:
//! the C library that it was linked with, and the thread-local memory that it needs. A fault of the
//! file is permanent. A fault of the machine, such as an old C library, can be repaired.

use std::fmt;
use std::path::Path;

use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, elf};

use crate::loader::{LoadError, STATIC_TLS};

/// Bytes of thread-local memory that glibc reserves for libraries that are opened later
/// (`glibc.rtld.optional_static_tls`). A library that needs more may or may not be opened.
const RESERVED_TLS: u64 = 512;

/// The reason why a library cannot be used, for the event that reports it.
pub(crate) struct LoadFailure {
    /// Message for people.
    pub(crate) reason: String,
    /// True if the cause is outside the library, so that a later attempt may succeed.
    pub(crate) is_transient: bool,
}

impl LoadFailure {
    /// Examines a library that could not be opened or used.
    pub(crate) fn new(library: &Path, error: &anyhow::Error) -> Self {
        let load_error = error.downcast_ref::<LoadError>();
        let is_open_error = matches!(load_error, Some(LoadError::Open(_)));
        let cause = is_open_error.then(|| std::fs::read(library).ok().and_then(|bytes| Cause::find(&bytes))).flatten();
        let has_tls_words = load_error.is_some_and(|error| error.cause_of_open_error().contains(STATIC_TLS));
        match cause.or_else(|| has_tls_words.then_some(Cause::ThreadMemory { n_bytes: None })) {
            Some(cause) => Self { reason: format!("{cause}: {error:#}"), is_transient: cause.is_transient() },
            None => {
                Self { reason: format!("{error:#}"), is_transient: load_error.is_some_and(LoadError::is_transient) }
            }
        }
    }
}

/// A cause that the headers of a library reveal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// The library was linked with a newer C library than that of this machine.
    NewerGlibc { needed: GlibcVersion, found: GlibcVersion },
    /// The library, or one that it needs, wants more thread-local memory at once than a running
    /// process has.
    ThreadMemory { n_bytes: Option<u64> },
}

impl Cause {
    /// Searches the headers of a library.
    fn find(bytes: &[u8]) -> Option<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
        if let (Some(needed), Some(found)) = (needed_glibc(&file), installed_glibc())
            && needed > found
        {
            return Some(Self::NewerGlibc { needed, found });
        }
        let n_bytes = static_thread_memory(&file)?;
        (n_bytes > RESERVED_TLS).then_some(Self::ThreadMemory { n_bytes: Some(n_bytes) })
    }

    /// Returns whether the machine is at fault.
    fn is_transient(&self) -> bool {
        matches!(self, Self::NewerGlibc { .. })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerGlibc { needed, found } => write!(
                f,
                "needs glibc {needed}, but this machine has {found}; build it on the oldest system on which it must run, \
                 or update this machine"
            ),
            Self::ThreadMemory { n_bytes } => {
                let size = n_bytes.map(|n_bytes| format!(" ({n_bytes} bytes)")).unwrap_or_default();
                write!(
                    f,
                    "needs more thread-local memory at once than a running process has{size}; build it and its libraries \
                     without the TLS model initial-exec (-ftls-model=global-dynamic), or make the variables smaller"
                )
            }
        }
    }
}

/// A version of the GNU C library, such as 2.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GlibcVersion(u32, u32);

impl GlibcVersion {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        Some(Self(numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Returns the version of the C library of this process, or `None` if it is another one.
fn installed_glibc() -> Option<GlibcVersion> {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            fn gnu_get_libc_version() -> *const std::ffi::c_char;
        }
        // SAFETY: the function of glibc returns a static, zero-terminated text.
        let version = unsafe { std::ffi::CStr::from_ptr(gnu_get_libc_version()) };
        GlibcVersion::parse(version.to_str().ok()?)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}

/// Returns the newest version of glibc that a library needs. Its symbols have versions such as
/// `GLIBC_2.34`.
fn needed_glibc(file: &ElfFile64<'_, Endianness>) -> Option<GlibcVersion> {
    let endian = file.endian();
    let sections = file.elf_section_table();
    let (mut needs, strings_idx) = sections.gnu_verneed(endian, file.data()).ok()??;
    let strings = sections.strings(endian, file.data(), strings_idx).ok()?;
    let mut newest = None;
    while let Ok(Some((_, mut versions))) = needs.next() {
        while let Ok(Some(version)) = versions.next() {
            let name = version.name(endian, strings).ok().and_then(|name| std::str::from_utf8(name).ok());
            newest = newest.max(name.and_then(|name| name.strip_prefix("GLIBC_")).and_then(GlibcVersion::parse));
        }
    }
    newest
}

/// Returns the number of bytes of thread-local variables that a library wants in the memory that is
/// reserved at the start of a process, or `None` if it wants none there.
fn static_thread_memory(file: &ElfFile64<'_, Endianness>) -> Option<u64> {
    let endian = file.endian();
    let table = file.elf_dynamic_table().ok()?;
    let is_static =
        table.iter().any(|entry| entry.tag == elf::DT_FLAGS && entry.val & u64::from(elf::DF_STATIC_TLS) != 0);
    let segments = file.elf_program_headers().iter();
    let sizes = segments.filter(|segment| segment.p_type(endian) == elf::PT_TLS).map(|segment| segment.p_memsz(endian));
    sizes.max().filter(|_| is_static)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_this_program_are_not_newer_than_the_installed_c_library() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = ElfFile64::<Endianness>::parse(bytes.as_slice()).unwrap();
        let needed = needed_glibc(&file).unwrap();
        let found = installed_glibc().unwrap();
        assert!(GlibcVersion(2, 0) < needed && needed <= found, "{needed} and {found}");
        assert_eq!(Cause::find(&bytes), None);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let version = |text| GlibcVersion::parse(text).unwrap();
        assert!(version("2.9") < version("2.36") && version("2.36") < version("3.0"));
        assert_eq!(version("2.2.5"), GlibcVersion(2, 2));
        assert_eq!(GlibcVersion::parse("PRIVATE"), None);
    }
}
