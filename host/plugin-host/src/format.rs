//! Checks whether a file can be a library for this machine, without executing any of it.
//!
//! In: the bytes of a file, and the path at which it was published. Out: the folders in its library search path, or why
//! no loader can open it. A truncated file is rejected here: opening one ends the process by SIGBUS.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile64, FileHeader as _};
use object::read::macho::{LoadCommandVariant, MachOFatFile32, MachOFile64};
use object::{Architecture, Endianness, FileKind, Object, ObjectKind, ObjectSegment, elf};

/// Why a file cannot be a library for this machine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A file without bytes.
    #[error("is no shared library: it is empty; needed {NEEDED}")]
    Empty,
    /// A file that is not a library.
    #[error("is no shared library: it {found}; needed {NEEDED}")]
    NoLibrary {
        /// Description of the file, which continues "it …".
        found: String,
    },
    /// A library for another kind of machine.
    #[error("is for {found}, and this machine needs {NEEDED}; build it here, or for this target")]
    OtherMachine {
        /// The machine that it was built for.
        found: String,
    },
    /// The headers refer to bytes beyond the end of the file, or are not valid.
    #[error("is cut short or damaged: {found} in a file of {n_bytes} bytes; write it beside and rename it into place")]
    Damaged {
        /// The contradiction that was found.
        found: String,
        /// Length of the file in bytes.
        n_bytes: usize,
    },
}

impl FormatError {
    /// Returns whether a library that is being written can have this error.
    pub fn may_be_unfinished(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Empty)
    }
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
const NEEDED: &str = "a 64-bit Mach-O library for arm64";
#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
const NEEDED: &str = "a 64-bit Mach-O library for x86_64";
#[cfg(all(not(target_os = "macos"), target_arch = "aarch64"))]
const NEEDED: &str = "a 64-bit ELF library for aarch64";
#[cfg(all(not(target_os = "macos"), target_arch = "x86_64"))]
const NEEDED: &str = "a 64-bit ELF library for x86_64";

const OURS: Architecture = if cfg!(target_arch = "aarch64") { Architecture::Aarch64 } else { Architecture::X86_64 };

/// Checks format, architecture and length, and returns the folders in the library search path.
///
/// * `source`: the published file; its folder replaces `$ORIGIN` and `@loader_path`.
///
/// # Errors
/// [`FormatError`], whose message continues a sentence that begins with the file's name.
pub fn check(bytes: &[u8], source: &Path) -> Result<Vec<PathBuf>, FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::Empty);
    }
    let folder = source.parent().unwrap_or(Path::new("."));
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) if !cfg!(target_os = "macos") => elf(bytes, folder),
        Ok(FileKind::MachO64) if cfg!(target_os = "macos") => mach_o(bytes, folder),
        Ok(FileKind::MachOFat32) if cfg!(target_os = "macos") => mach_o(slice_for_us(bytes)?, folder),
        Ok(kind) => Err(FormatError::OtherMachine { found: named(kind) }),
        Err(_) => Err(FormatError::NoLibrary { found: beginning(bytes) }),
    }
}

fn elf(bytes: &[u8], folder: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let machine = elf::FileHeader64::<Endianness>::parse(bytes).map_err(damaged)?;
    let machine = machine.e_machine(machine.endian().map_err(damaged)?);
    if machine != if OURS == Architecture::Aarch64 { elf::EM_AARCH64 } else { elf::EM_X86_64 } {
        return Err(FormatError::OtherMachine { found: format!("ELF machine {machine}") });
    }
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(damaged)?;
    check_parts(&file, bytes)?;
    let table = file.elf_dynamic_table().map_err(damaged)?;
    let paths = table.iter().filter(|entry| [elf::DT_RUNPATH, elf::DT_RPATH].contains(&entry.tag));
    let paths = paths.filter_map(|entry| table.string(entry).ok());
    let folders = paths.flat_map(|path| path.split(|byte| *byte == b':'));
    Ok(folders.filter_map(|path| folder_of(path, &["$ORIGIN", "${ORIGIN}"], folder)).collect())
}

fn mach_o(bytes: &[u8], folder: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let file = MachOFile64::<Endianness>::parse(bytes).map_err(damaged)?;
    if file.architecture() != OURS {
        return Err(FormatError::OtherMachine { found: format!("{:?}", file.architecture()) });
    }
    check_parts(&file, bytes)?;
    let mut folders = Vec::new();
    let mut commands = file.macho_load_commands().map_err(damaged)?;
    while let Some(command) = commands.next().map_err(damaged)? {
        if let LoadCommandVariant::Rpath(rpath) = command.variant().map_err(damaged)? {
            let path = command.string(file.endian(), rpath.path).map_err(damaged)?;
            folders.extend(folder_of(path, &["@loader_path"], folder));
        }
    }
    Ok(folders)
}

/// Returns the part of a universal file that is for this machine.
fn slice_for_us(bytes: &[u8]) -> Result<&[u8], FormatError> {
    let damaged = |error: object::Error| FormatError::Damaged { found: error.to_string(), n_bytes: bytes.len() };
    let fat = MachOFatFile32::parse(bytes).map_err(damaged)?;
    let ours = fat.arches().iter().find(|arch| object::read::macho::FatArch::architecture(*arch) == OURS);
    let ours = ours.ok_or_else(|| FormatError::OtherMachine { found: "other architectures".to_owned() })?;
    object::read::macho::FatArch::data(ours, bytes).map_err(damaged)
}

/// Checks that the file is a library and contains every segment that its headers list.
fn check_parts<'data>(file: &impl Object<'data>, bytes: &[u8]) -> Result<(), FormatError> {
    if file.kind() != ObjectKind::Dynamic {
        return Err(FormatError::NoLibrary { found: format!("is an object file of kind {:?}", file.kind()) });
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

/// Returns the folder of a search path; a path relative to the published file is resolved against it.
/// `None` for an empty path, and for one relative to the program or the working folder.
fn folder_of(path: &[u8], own: &[&str], folder: &Path) -> Option<PathBuf> {
    let rest = own.iter().find_map(|own| path.strip_prefix(own.as_bytes()));
    match rest {
        Some(rest) => {
            let rest = rest.strip_prefix(b"/").unwrap_or(rest);
            Some(folder.join(OsStr::from_bytes(rest)))
        }
        None => Some(PathBuf::from(OsStr::from_bytes(path))).filter(|path| path.is_absolute()),
    }
}

fn named(kind: FileKind) -> String {
    match kind {
        FileKind::Elf32 => "32-bit machines".to_owned(),
        FileKind::Elf64 => "systems with ELF libraries".to_owned(),
        FileKind::MachO32 | FileKind::MachO64 | FileKind::MachOFat32 => "macOS".to_owned(),
        other => format!("other systems ({other:?})"),
    }
}

fn beginning(bytes: &[u8]) -> String {
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

    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_a_library_is_described_by_how_it_begins() {
        let error = |bytes: &[u8]| check(bytes, Path::new("/p/libx.so")).unwrap_err();
        let beginning = |bytes: &[u8]| match error(bytes) {
            FormatError::NoLibrary { found } => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(error(b""), FormatError::Empty);
        assert!(error(b"").to_string().starts_with("is no shared library: it is empty; needed a 64-bit"));
        assert_eq!(beginning(b"#!/bin/sh\nexit"), "begins with the text \"#!/bin/sh\\nexit\"");
        assert_eq!(beginning(&[0, 1, 2, 255]), "begins with the bytes 00 01 02 ff");
    }

    #[test]
    fn every_truncated_program_is_rejected() {
        let bytes = own();
        assert!(check(&bytes, Path::new("/p/x")).is_ok());
        for share in 1..20 {
            let cut = &bytes[..bytes.len() / 20 * share];
            assert!(check(cut, Path::new("/p/x")).is_err(), "{share}/20 of it");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_for_another_machine_is_refused_by_name() {
        let mut bytes = own();
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
    fn search_paths_are_relative_to_the_folder_in_which_the_file_was_published() {
        let folder = |path: &str| folder_of(path.as_bytes(), &["$ORIGIN", "@loader_path"], Path::new("/plugins/lstm"));
        assert_eq!(folder("$ORIGIN/../lib").unwrap(), Path::new("/plugins/lstm/../lib"));
        assert_eq!(folder("@loader_path").unwrap(), Path::new("/plugins/lstm"));
        assert_eq!(folder("/opt/lib").unwrap(), Path::new("/opt/lib"));
        assert_eq!((folder(""), folder("@executable_path/x")), (None, None));
    }
}
