//! Checks whether a file is a library for this machine, without executing any of it.
//!
//! In: the bytes of a file, and the path at which it was published. Out: either the folders in the
//! file's library search path, or the reason why the system's loader cannot open the file. A
//! truncated file is rejected here, because opening it would kill the process by SIGBUS.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile64, FileHeader as _};
use object::read::macho::{LoadCommandVariant, MachOFatFile32, MachOFile64};
use object::{Architecture, Endianness, FileKind, Object, ObjectKind, ObjectSegment, elf};

/// The reason why a file is not a library for this machine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file is empty.
    #[error("is not a shared library: the file is empty, expected {EXPECTED}")]
    Empty,
    /// The file is not a library.
    #[error("is not a shared library: the file {found}, expected {EXPECTED}")]
    NotALibrary {
        /// Description of the file, which follows the words "the file" in the message.
        found: String,
    },
    /// The library is for another kind of machine.
    #[error("is for {found}, expected {EXPECTED}; build it on this machine or for this target")]
    OtherMachine {
        /// The machine for which it was built.
        found: String,
    },
    /// The headers are invalid or refer to bytes beyond the end of the file.
    #[error(
        "is truncated or damaged: {found} in a file of {n_bytes} bytes; write it under another name, then rename it into \
         place"
    )]
    Damaged {
        /// Description of the invalid part of the file.
        found: String,
        /// Length of the file in bytes.
        n_bytes: usize,
    },
}

impl FormatError {
    /// Returns whether a library that is still being written can cause this error.
    pub fn may_be_unfinished(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Empty)
    }
}

/// The kind of library that this machine can open.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
const EXPECTED: &str = "a 64-bit Mach-O library for arm64";
#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
const EXPECTED: &str = "a 64-bit Mach-O library for x86_64";
#[cfg(all(not(target_os = "macos"), target_arch = "aarch64"))]
const EXPECTED: &str = "a 64-bit ELF library for aarch64";
#[cfg(all(not(target_os = "macos"), target_arch = "x86_64"))]
const EXPECTED: &str = "a 64-bit ELF library for x86_64";

/// Architecture of this machine.
const HOST_ARCHITECTURE: Architecture =
    if cfg!(target_arch = "aarch64") { Architecture::Aarch64 } else { Architecture::X86_64 };

/// Checks the format, architecture and length of a library, and returns the folders in its search
/// path.
///
/// * `source`: path of the published file; its folder replaces `$ORIGIN` and `@loader_path`.
///
/// # Errors
/// Returns [`FormatError`] if the file is not a library for this machine. The error message
/// continues a sentence that begins with the file's name.
pub fn check(bytes: &[u8], source: &Path) -> Result<Vec<PathBuf>, FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::Empty);
    }
    let folder = source.parent().unwrap_or(Path::new("."));
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) if !cfg!(target_os = "macos") => elf(bytes, folder),
        Ok(FileKind::MachO64) if cfg!(target_os = "macos") => mach_o(bytes, folder),
        Ok(FileKind::MachOFat32) if cfg!(target_os = "macos") => mach_o(slice_for_this_machine(bytes)?, folder),
        Ok(kind) => Err(FormatError::OtherMachine { found: target_systems(kind) }),
        Err(_) => Err(FormatError::NotALibrary { found: describe_beginning(bytes) }),
    }
}

fn elf(bytes: &[u8], folder: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let machine = elf::FileHeader64::<Endianness>::parse(bytes).map_err(damaged)?;
    let machine = machine.e_machine(machine.endian().map_err(damaged)?);
    if machine != if HOST_ARCHITECTURE == Architecture::Aarch64 { elf::EM_AARCH64 } else { elf::EM_X86_64 } {
        return Err(FormatError::OtherMachine { found: format!("ELF machine {machine}") });
    }
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(damaged)?;
    check_segments(&file, bytes)?;
    let table = file.elf_dynamic_table().map_err(damaged)?;
    let paths = table.iter().filter(|entry| [elf::DT_RUNPATH, elf::DT_RPATH].contains(&entry.tag));
    let paths = paths.filter_map(|entry| table.string(entry).ok());
    let folders = paths.flat_map(|path| path.split(|byte| *byte == b':'));
    Ok(folders.filter_map(|path| search_folder(path, &["$ORIGIN", "${ORIGIN}"], folder)).collect())
}

fn mach_o(bytes: &[u8], folder: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let file = MachOFile64::<Endianness>::parse(bytes).map_err(damaged)?;
    if file.architecture() != HOST_ARCHITECTURE {
        return Err(FormatError::OtherMachine { found: format!("{:?}", file.architecture()) });
    }
    check_segments(&file, bytes)?;
    let mut folders = Vec::new();
    let mut commands = file.macho_load_commands().map_err(damaged)?;
    while let Some(command) = commands.next().map_err(damaged)? {
        if let LoadCommandVariant::Rpath(rpath) = command.variant().map_err(damaged)? {
            let path = command.string(file.endian(), rpath.path).map_err(damaged)?;
            folders.extend(search_folder(path, &["@loader_path"], folder));
        }
    }
    Ok(folders)
}

/// Returns the part of a universal file that is for this machine.
fn slice_for_this_machine(bytes: &[u8]) -> Result<&[u8], FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let fat = MachOFatFile32::parse(bytes).map_err(damaged)?;
    let ours = fat.arches().iter().find(|arch| object::read::macho::FatArch::architecture(*arch) == HOST_ARCHITECTURE);
    let ours = ours.ok_or_else(|| FormatError::OtherMachine { found: "other architectures".to_owned() })?;
    object::read::macho::FatArch::data(ours, bytes).map_err(damaged)
}

/// Checks that the file is a library and contains every segment that its headers list.
fn check_segments<'data>(file: &impl Object<'data>, bytes: &[u8]) -> Result<(), FormatError> {
    if file.kind() != ObjectKind::Dynamic {
        return Err(FormatError::NotALibrary { found: format!("is an object file of kind {:?}", file.kind()) });
    }
    let end = file.segments().map(|segment| segment.file_range()).map(|(from, len)| from.saturating_add(len)).max();
    match end {
        None => Err(FormatError::Damaged { found: "no segment to load".to_owned(), n_bytes: bytes.len() }),
        Some(end) if end > bytes.len() as u64 => {
            Err(FormatError::Damaged { found: format!("segments up to byte {end}"), n_bytes: bytes.len() })
        }
        Some(_) => Ok(()),
    }
}

/// Returns the folder that one entry of a search path names. A path relative to the library is
/// resolved against the folder of the published file. Returns `None` for an empty entry, and for an
/// entry that is relative to the program or the working folder.
///
/// * `origins`: the prefixes that mean the library's own folder.
fn search_folder(path: &[u8], origins: &[&str], folder: &Path) -> Option<PathBuf> {
    let rest = origins.iter().find_map(|origin| path.strip_prefix(origin.as_bytes()));
    match rest {
        Some(rest) => {
            let rest = rest.strip_prefix(b"/").unwrap_or(rest);
            Some(folder.join(OsStr::from_bytes(rest)))
        }
        None => Some(PathBuf::from(OsStr::from_bytes(path))).filter(|path| path.is_absolute()),
    }
}

/// Returns the names of the systems that can open files of this kind, for an error message.
fn target_systems(kind: FileKind) -> String {
    match kind {
        FileKind::Elf32 => "32-bit machines".to_owned(),
        FileKind::Elf64 => "systems with ELF libraries".to_owned(),
        FileKind::MachO32 | FileKind::MachO64 | FileKind::MachOFat32 => "macOS".to_owned(),
        other => format!("other systems ({other:?})"),
    }
}

/// Describes how a file begins: its first characters, or its first bytes as hex if they are not
/// text.
fn describe_beginning(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(16)];
    match std::str::from_utf8(start) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
            format!("begins with the text {:?}", text.trim_end())
        }
        _ => {
            let hex: Vec<_> = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("begins with the bytes {}", hex.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_executable() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_file_that_is_not_a_library_is_described_by_its_first_bytes() {
        let error = |bytes: &[u8]| check(bytes, Path::new("/p/libx.so")).unwrap_err();
        let describe_beginning = |bytes: &[u8]| match error(bytes) {
            FormatError::NotALibrary { found } => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(error(b""), FormatError::Empty);
        assert!(error(b"").to_string().starts_with("is not a shared library: the file is empty, expected a 64-bit"));
        assert_eq!(describe_beginning(b"#!/bin/sh\nexit"), "begins with the text \"#!/bin/sh\\nexit\"");
        assert_eq!(describe_beginning(&[0, 1, 2, 255]), "begins with the bytes 00 01 02 ff");
    }

    #[test]
    fn every_truncated_program_is_rejected() {
        let bytes = test_executable();
        assert!(check(&bytes, Path::new("/p/x")).is_ok());
        for share in 1..20 {
            let cut = &bytes[..bytes.len() / 20 * share];
            assert!(check(cut, Path::new("/p/x")).is_err(), "{share}/20 of the file");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_for_another_machine_is_rejected_with_its_machine() {
        let mut bytes = test_executable();
        bytes[18..20].copy_from_slice(&8u16.to_le_bytes());
        let machine = |bytes: &[u8]| match check(bytes, Path::new("/p/libx.so")) {
            Err(FormatError::OtherMachine { found }) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(machine(&bytes), "ELF machine 8");
        bytes[4] = 1;
        assert_eq!(machine(&bytes), "32-bit machines");
    }

    #[test]
    fn relative_search_paths_are_resolved_against_the_folder_of_the_published_file() {
        let folder =
            |path: &str| search_folder(path.as_bytes(), &["$ORIGIN", "@loader_path"], Path::new("/plugins/lstm"));
        assert_eq!(folder("$ORIGIN/../lib").unwrap(), Path::new("/plugins/lstm/../lib"));
        assert_eq!(folder("@loader_path").unwrap(), Path::new("/plugins/lstm"));
        assert_eq!(folder("/opt/lib").unwrap(), Path::new("/opt/lib"));
        assert_eq!((folder(""), folder("@executable_path/x")), (None, None));
    }
}
