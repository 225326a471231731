//! Queries and signals for processes, from `/proc`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// Returns all descendants of a process, parents before their children.
pub fn descendants_of(pid: u32) -> Vec<u32> {
    let table: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_and_state(pid)?.0)))
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent_of_next = found[next];
        found.extend(table.iter().filter(|(_, parent)| *parent == parent_of_next).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Returns whether a process is running; a zombie is not.
pub fn is_running(pid: u32) -> bool {
    parent_and_state(pid).is_some_and(|(_, state)| state != 'Z' && state != 'X')
}

/// Returns the processes in a role of the host's binary: `job` or `plugin-process`.
pub fn in_role(pids: &[u32], role: &str) -> Vec<u32> {
    let has_role = |pid: &&u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes())
    };
    pids.iter().filter(has_role).copied().collect()
}

/// Returns the files below a folder that a process has mapped; none after it has terminated.
pub fn mapped_from(pid: u32, folder: &Path) -> BTreeSet<PathBuf> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let files = maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    files.filter(|file| file.starts_with(folder)).collect()
}

/// Returns the number of open files of a process, sockets and pipes included.
///
/// # Panics
/// Panics if the process does not exist.
pub fn n_open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Settings with which a worker returns free memory to the kernel at once, so that
/// [`private_bytes`] is the memory in use.
///
/// By default, the allocator keeps free pages and uses huge pages, so that the private memory of a
/// worker without a leak varies by 10 MiB.
pub const RETURN_FREE_MEMORY: [(&str, &str); 2] = [("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "0")];

/// Returns the private memory of a process in bytes.
///
/// # Panics
/// Panics if the process does not exist.
pub fn private_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

/// Waits until none of the processes is running.
///
/// # Panics
/// Panics if a process is still running after `limit`.
pub fn wait_until_gone(pids: &[u32], limit: Duration) {
    eventually("end of the processes", limit, || (!pids.iter().any(|pid| is_running(*pid))).then_some(()));
}

/// Sends SIGKILL.
///
/// # Panics
/// Panics if the process does not exist.
pub fn kill(pid: u32) {
    assert!(kill_if_running(pid), "process {pid} does not exist");
}

/// Sends SIGKILL, and returns whether the process existed.
pub fn kill_if_running(pid: u32) -> bool {
    signal(pid, Signal::KILL)
}

/// Sends SIGABRT, as a failed assertion of native code does, and returns whether the process
/// existed.
pub fn abort_if_running(pid: u32) -> bool {
    signal(pid, Signal::ABORT)
}

/// Stops a process with SIGSTOP, and returns whether it existed.
pub fn freeze(pid: u32) -> bool {
    signal(pid, Signal::STOP)
}

/// Continues a process after [`freeze`], and returns whether it existed.
pub fn thaw(pid: u32) -> bool {
    signal(pid, Signal::CONT)
}

fn signal(pid: u32, signal: Signal) -> bool {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).is_ok()
}

/// Parses `/proc/<pid>/stat`: `pid (name) state parent …`, where the name may contain any
/// character.
fn parent_and_state(pid: u32) -> Option<(u32, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}
