//! Files that are no libraries for this machine, and what is no file at all.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oculus_tests::hostile::{Library, file_name};
use oculus_tests::site::Listed;
use oculus_tests::{Redis, Site, build};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::Undisturbed;

/// Where an ELF file says for what machine it is.
const MACHINE: usize = 18;

/// The library for a machine of another kind.
fn for_another_machine() -> Library {
    let mut library = Library::built();
    // AArch64 and x86-64.
    let other: u16 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    library.bytes_mut()[MACHINE..MACHINE + 2].copy_from_slice(&other.to_le_bytes());
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
    Library::of(&file)
}

fn half() -> Library {
    let library = Library::built();
    Library::from_bytes(&library.bytes()[..library.bytes().len() / 2])
}

#[test]
fn a_file_that_is_no_library_for_this_machine_is_refused_with_what_it_is() {
    let (redis, site) = (Redis::start(), Site::new());
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    let files: [(&str, Library, &[&str]); 7] = [
        ("other-machine", for_another_machine(), &["machine", "64-bit ELF library"]),
        ("32-bit", beginning_with(b"\x7fELF\x01"), &["32-bit", "64-bit ELF library"]),
        ("mach-o", beginning_with(b"\xcf\xfa\xed\xfe"), &["macOS", "64-bit ELF library"]),
        ("text", Library::from_bytes(*b"to be written\n"), &["no shared library", "to be written"]),
        ("empty", Library::from_bytes([]), &["no shared library", "empty"]),
        ("half", half(), &["cut short"]),
        ("plain", plain(), &["no oculus plugin", "no module header"]),
    ];
    for (name, library, _) in &files {
        library.publish_as_old(&site.plugins(), name);
    }
    for (name, _, words) in files {
        let told = worker.wait_for_log(&format!("/{}", file_name(name)));
        let Listed { state, reason, serves, .. } = site.listed(name);
        for text in [&told, &reason] {
            assert!(words.iter().all(|word| text.contains(word)), "{name} is refused since it {text}");
        }
        assert!(state == "quarantined" && serves.is_none(), "{name} {state}");
        assert!(reason.lines().count() <= 3, "{name}: {reason}");
    }
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn what_is_no_file_blocks_nobody_and_a_link_is_what_it_leads_to() {
    let (redis, site) = (Redis::start(), Site::new());
    let place = |name: &str| site.plugins().join(file_name(name));
    site.publish_built("oculus_plugin_lightgbm");
    std::fs::create_dir(place("folder")).unwrap();
    mknodat(CWD, place("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/nowhere/libnothing.so", place("dangling")).unwrap();
    symlink(place("circle"), place("circle")).unwrap();
    symlink(build::folder().join(file_name("oculus_test_hostile")), place("linked")).unwrap();
    symlink(Path::new("/dev/zero"), place("endless")).unwrap();
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    let serving = site.list(&[]).into_iter().filter(|listed| listed.serves.is_some());
    let serving: Vec<_> = serving.map(|listed| listed.file).collect();
    assert_eq!(serving, [file_name("linked"), file_name("oculus_plugin_lightgbm")]);
    undisturbed.assert_still(&redis, &site);
}
