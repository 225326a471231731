//! The current process: its executable, and its immediate termination.
//!
//! In: nothing. Out: the path of the executable.
//! Invariant: the functions that kill this process never return, even if its threads are blocked.

use std::io;
use std::path::PathBuf;

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};

/// Returns a path to the executable of this process. On Linux the path stays valid after an update
/// has replaced the file.
///
/// # Errors
/// Returns an [`io::Error`] if the system cannot determine the path.
pub fn own_executable() -> io::Result<PathBuf> {
    // `/proc/self/exe` refers to the running file itself. A child that is started after an update
    // therefore still has the same version as this process.
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// Kills this process immediately. No exit handlers run, because native libraries may crash in
/// them.
pub fn kill_now() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // This line is not reached, because no process survives `SIGKILL`.
    std::process::abort()
}

/// Kills this process. If it is a process group leader, its child processes are killed as well.
pub fn kill_group_now() -> ! {
    // A process that is not the leader shares its group with its parent, such as a shell, which
    // must survive.
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    kill_now()
}
