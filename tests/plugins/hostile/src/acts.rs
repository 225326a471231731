//! Acts of the library when it is opened, describes itself or fits: it exits, crashes, hangs,
//! writes a file or waits for one.

use std::time::Duration;

use crate::fields;

/// Prefix of acts that run when the library is opened.
pub(crate) const OPENING: &str = "open-";
/// Prefix of acts that run when the plugin returns its manifest.
pub(crate) const DESCRIBING: &str = "describe-";
/// Prefix of acts that run in every fit.
pub(crate) const FITTING: &str = "fit-";
/// Prefix of acts that run in fits of a job, but not of a probe.
pub(crate) const WORKING: &str = "work-";

/// Performs the library's act if its name has this prefix.
pub(crate) fn perform(prefix: &str) {
    match fields::act().strip_prefix(prefix) {
        Some("exit") => std::process::exit(0),
        Some("hang") => loop {
            // Ignores the host's cancel flag on purpose.
            std::thread::sleep(Duration::from_secs(3600));
        },
        Some("panic") => panic!("hostile: panic"),
        Some("abort") => std::process::abort(),
        Some("segfault") => segfault(),
        Some("wait") => {
            while !std::path::Path::new(&fields::file()).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Some("write") => std::fs::write(fields::file(), "opened").expect("the file can be written"),
        _ => {}
    }
}

fn segfault() {
    let unmapped = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: none. The first page is never mapped, so the process dies of SIGSEGV here, as the act
    // requests.
    unsafe { unmapped.write_volatile(1) };
}
