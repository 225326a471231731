//! Files that are not libraries for this machine, and directory entries that are not regular files.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oculus_tests::build::{self, library_file};
use oculus_tests::hostile::Library;
use oculus_tests::site::Listed;
use oculus_tests::{Redis, Site, wording};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::Undisturbed;

/// Where an ELF file says for what machine it is.
const MACHINE: usize = 18;

/// ELF's number of a machine of another kind: x86-64 or AArch64.
const OTHER_MACHINE: (u16, &str) = if cfg!(target_arch = "aarch64") { (62, "62") } else { (183, "183") };

/// The library for a machine of another kind.
fn for_another_machine() -> Library {
    let mut library = Library::built();
    library.bytes_mut()[MACHINE..MACHINE + 2].copy_from_slice(&OTHER_MACHINE.0.to_le_bytes());
    library
}

/// The library with something else at its beginning.
fn beginning_with(bytes: &[u8]) -> Library {
    let mut library = Library::built();
    library.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    library
}

/// A library like any other of the system: it exports nothing.
fn plain() -> Library {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    let compiled = Command::new("cc").args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&file).status().unwrap();
    assert!(compiled.success());
    Library::from_file(&file)
}

/// The first half of the library, and its length.
fn half() -> (Library, String) {
    let library = Library::built();
    let n_bytes = library.bytes().len() / 2;
    (Library::from_bytes(&library.bytes()[..n_bytes]), n_bytes.to_string())
}

#[test]
fn a_file_that_is_not_a_library_for_this_machine_is_refused_with_its_kind() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    let (half, n_bytes_of_half) = half();
    let files: [(&str, Library, &[&str]); 7] = [
        ("other-machine", for_another_machine(), &[OTHER_MACHINE.1, "64-bit ELF"]),
        ("32-bit", beginning_with(b"\x7fELF\x01"), &["32-bit", "64-bit ELF"]),
        ("mach-o", beginning_with(b"\xcf\xfa\xed\xfe"), &["macOS", "64-bit ELF"]),
        ("text", Library::from_bytes(*b"to be written\n"), &["to be written", "64-bit ELF"]),
        ("empty", Library::from_bytes([]), &[wording::EMPTY_FILE, "64-bit ELF"]),
        ("half", half, &[&n_bytes_of_half]),
        // What would make one of it.
        ("plain", plain(), &["export_family!"]),
    ];
    for (name, library, _) in &files {
        library.publish_as_old(&site.plugins(), name);
    }
    for (name, _, facts) in files {
        let event = worker.wait_for_event(name, |event| event.is_refusal_of(&library_file(name)));
        let Listed { state, reason, serves, .. } = site.listed(name);
        for text in [event.message(), &reason] {
            assert!(facts.iter().all(|fact| text.contains(fact)), "{name} is refused since it {text}");
        }
        assert!(state == "quarantined" && serves.is_none(), "{name} {state}");
        assert!(reason.lines().count() <= 3, "{name}: {reason}");
    }
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn an_entry_that_is_not_a_file_blocks_no_other_and_a_link_is_followed() {
    let redis = Redis::start();
    let site = Site::new();
    let place = |name: &str| site.plugins().join(library_file(name));
    site.publish_built("oculus_plugin_lightgbm");
    std::fs::create_dir(place("folder")).unwrap();
    mknodat(CWD, place("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/nowhere/libnothing.so", place("dangling")).unwrap();
    symlink(place("circle"), place("circle")).unwrap();
    symlink(build::library("oculus_test_hostile"), place("linked")).unwrap();
    symlink(Path::new("/dev/zero"), place("endless")).unwrap();
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    let serving = site.list(&[]).into_iter().filter(|listed| listed.serves.is_some());
    let serving: Vec<_> = serving.map(|listed| listed.file).collect();
    assert_eq!(serving, [library_file("linked"), library_file("oculus_plugin_lightgbm")]);
    undisturbed.assert_still(&redis, &site);
}
