//! What the library does when it is opened, asked who it is, or asked to fit: ends, hangs, leaves a file or waits for one.

use std::time::Duration;

use crate::fields;

/// When the library is opened.
pub(crate) const OPENING: &str = "open-";
/// When the plugin is asked who it is.
pub(crate) const DESCRIBING: &str = "describe-";
/// At every fit.
pub(crate) const FITTING: &str = "fit-";
/// At fits of a job, not of a probe.
pub(crate) const WORKING: &str = "work-";

/// Performs the library's act if it belongs to this moment.
pub(crate) fn perform(moment: &str) {
    match fields::act().strip_prefix(moment) {
        Some("exit") => std::process::exit(0),
        Some("hang") => loop {
            // Deaf to all, on purpose.
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
        Some("write") => std::fs::write(fields::file(), "opened").expect("a place to write"),
        _ => {}
    }
}

fn segfault() {
    let nowhere = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: none: the first page is never mapped, so the process dies of SIGSEGV here, which is what was asked for.
    unsafe { nowhere.write_volatile(1) };
}
