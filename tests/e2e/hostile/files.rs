//! Files that are not libraries for this machine, and directory entries that are not regular files.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oculus_tests::build::{self, library_file};
use oculus_tests::hostile::Library;
use oculus_tests::site::Listed;
use oculus_tests::{Redis, Site, wording};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::Baseline;

/// Offset of the machine number in an ELF file.
const MACHINE: usize = 18;

/// ELF's number for another kind of machine: x86-64 or AArch64.
const OTHER_MACHINE: (u16, &str) = if cfg!(target_arch = "aarch64") { (62, "62") } else { (183, "183") };

/// Returns the library with the machine number of another kind of machine.
fn for_another_machine() -> Library {
    let mut library = Library::built();
    library.bytes_mut()[MACHINE..MACHINE + 2].copy_from_slice(&OTHER_MACHINE.0.to_le_bytes());
    library
}

/// Returns the library with other bytes at its beginning.
fn beginning_with(bytes: &[u8]) -> Library {
    let mut library = Library::built();
    library.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    library
}

/// Builds a shared library that exports nothing.
fn plain() -> Library {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    let compiled = Command::new("cc").args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&file).status().unwrap();
    assert!(compiled.success());
    Library::from_file(&file)
}

/// Returns the first half of the library, and its length.
fn half() -> (Library, String) {
    let library = Library::built();
    let n_bytes = library.bytes().len() / 2;
    (Library::from_bytes(&library.bytes()[..n_bytes]), n_bytes.to_string())
}

#[test]
fn a_file_that_is_not_a_library_for_this_machine_is_rejected_with_its_kind() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let baseline = Baseline::measure(&redis, &worker);
    let (half, n_bytes_of_half) = half();
    let files: [(&str, Library, &[&str]); 7] = [
        ("other-machine", for_another_machine(), &[OTHER_MACHINE.1, "64-bit ELF"]),
        ("32-bit", beginning_with(b"\x7fELF\x01"), &["32-bit", "64-bit ELF"]),
        ("mach-o", beginning_with(b"\xcf\xfa\xed\xfe"), &["macOS", "64-bit ELF"]),
        ("text", Library::from_bytes(*b"to be written\n"), &["to be written", "64-bit ELF"]),
        ("empty", Library::from_bytes([]), &[wording::EMPTY_FILE, "64-bit ELF"]),
        ("half", half, &[&n_bytes_of_half]),
        // The reason names the macro that exports a plugin.
        ("plain", plain(), &["export_family!"]),
    ];
    for (name, library, _) in &files {
        library.publish_as_old(&site.plugins(), name);
    }
    for (name, _, facts) in files {
        let event = worker.wait_for_event(name, |event| event.is_rejection_of(&library_file(name)));
        let Listed { state, reason, active, .. } = site.listed(name);
        for text in [event.message(), &reason] {
            assert!(facts.iter().all(|fact| text.contains(fact)), "{name} is rejected because it {text}");
        }
        assert!(state == "quarantined" && active.is_none(), "{name} {state}");
        assert!(reason.lines().count() <= 3, "{name}: {reason}");
    }
    baseline.assert_unchanged(&redis, &site);
}

#[test]
fn an_entry_that_is_not_a_file_blocks_no_other_entry_and_links_are_followed() {
    let redis = Redis::start();
    let site = Site::new();
    let path = |name: &str| site.plugins().join(library_file(name));
    site.publish_built("oculus_plugin_lightgbm");
    std::fs::create_dir(path("folder")).unwrap();
    mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/nowhere/libnothing.so", path("dangling")).unwrap();
    symlink(path("circle"), path("circle")).unwrap();
    symlink(build::library("oculus_test_hostile"), path("linked")).unwrap();
    symlink(Path::new("/dev/zero"), path("endless")).unwrap();
    let worker = site.worker(&redis, &[]);
    let baseline = Baseline::measure(&redis, &worker);
    let active = site.list(&[]).into_iter().filter(|listed| listed.active.is_some());
    let active: Vec<_> = active.map(|listed| listed.file).collect();
    assert_eq!(active, [library_file("linked"), library_file("oculus_plugin_lightgbm")]);
    baseline.assert_unchanged(&redis, &site);
}
