//! This process: its executable, and its immediate end.
//!
//! In: nothing. Out: a path, or no return.
//! Invariant: an end that is asked for here happens, whatever the threads of this process do.

use std::io;
use std::path::PathBuf;

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};

/// Returns the path of this executable as it runs now, also after an update has replaced its file.
///
/// # Errors
/// The system's own, where it does not know the path.
pub fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// Ends this process at once, without exit handlers, in which native code may crash.
pub fn end_now() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // Not reached: no process survives that signal.
    std::process::abort()
}

/// Ends this process and all processes that it has started, if it leads a process group of its own;
/// else only itself.
pub fn end_group_now() -> ! {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    end_now()
}
