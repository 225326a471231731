//! Enforces the memory limit of a plugin process.
//!
//! If the host's control group is in a delegated folder (systemd: `Delegate=memory` and
//! `DelegateSubgroup=`), the kernel enforces the limit for the process and everything that it
//! starts (`cgroup`). Otherwise the caller polls the memory of the process.
//!
//! Limits of address space (`RLIMIT_AS`) or data (`RLIMIT_DATA`) do not work: libtorch, CUDA and
//! allocators reserve many times the memory that they use. An LSTM process has 1.6 GiB of mapped
//! memory: 1.1 GiB are private, and 88 MiB are resident. Also, a failed allocation terminates the
//! plugin at an arbitrary place, so the cause could not be reported.

mod cgroup;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::cgroup::Cgroup;

/// The memory limit of one process.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    pid: u32,
    limit_bytes: u64,
    cgroup: Option<Cgroup>,
}

impl MemoryLimit {
    /// Applies the limit to a process that has just started.
    ///
    /// * `limit_bytes`: the maximum private memory; `u64::MAX` means no limit.
    pub(crate) fn apply(pid: u32, limit_bytes: u64) -> Self {
        static DELEGATED: OnceLock<Option<PathBuf>> = OnceLock::new();
        static N_GROUPS: AtomicUsize = AtomicUsize::new(0);
        let parent = DELEGATED.get_or_init(cgroup::delegated).as_deref().filter(|_| limit_bytes < u64::MAX);
        let group = |parent: &Path| {
            // The name is unique among all hosts that use the folder. `Relaxed` suffices, because
            // the numbers only have to differ.
            let name = format!("{}{}-{}", cgroup::PREFIX, std::process::id(), N_GROUPS.fetch_add(1, Ordering::Relaxed));
            let log = |error: &std::io::Error| {
                tracing::debug!(pid, "cannot create a control group for a plugin process, polling its memory: {error}");
            };
            Cgroup::with_process(parent.join(name), pid, limit_bytes).inspect_err(log).ok()
        };
        Self { pid, limit_bytes, cgroup: parent.and_then(group) }
    }

    /// Returns the limit in bytes.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Returns whether the process exceeds the limit, or whether the kernel has killed it for
    /// exceeding the limit.
    pub(crate) fn is_exceeded(&self) -> bool {
        match &self.cgroup {
            _ if self.limit_bytes == u64::MAX => false,
            Some(group) => group.has_killed(),
            None => tree_bytes(self.pid).is_some_and(|bytes| bytes > self.limit_bytes),
        }
    }
}

/// Returns the private memory of a process and of everything that it has started, or `None` if it
/// has terminated.
fn tree_bytes(pid: u32) -> Option<u64> {
    let mut n_bytes = private_bytes(pid)?;
    let mut next = children(pid);
    while let Some(child) = next.pop() {
        // A child may terminate before its memory is read.
        n_bytes = n_bytes.saturating_add(private_bytes(child).unwrap_or(0));
        next.extend(children(child));
    }
    Some(n_bytes)
}

/// Returns the children that the threads of a process have started; empty on systems other than
/// Linux.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Returns the private memory of a process, or `None` if the system does not report it, for example
/// because the process has terminated.
fn private_bytes(pid: u32) -> Option<u64> {
    if cfg!(target_os = "linux") {
        return anonymous_bytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    }
    // Systems other than Linux do not report the private memory, so `rss` is used. It includes
    // shared memory, such as the mapped table.
    let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Parses the size of all anonymous pages, including those in swap, from the text of
/// `/proc/PID/status`. The mapped table and libraries are not counted, because the kernel can
/// discard their pages.
fn anonymous_bytes(status: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    field("RssAnon:")?.checked_add(field("VmSwap:").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_anonymous_pages_are_counted() {
        let status = "VmPeak:\t 9000000 kB\nVmRSS:\t  300000 kB\nRssAnon:\t   20480 kB\nRssFile:\t  279520 kB\n\
                      RssShmem:\t       0 kB\nVmSwap:\t    1024 kB\n";
        assert_eq!(anonymous_bytes(status), Some(21 << 20));
        assert_eq!(anonymous_bytes("Name:\tzombie\nState:\tZ (zombie)\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_of_a_process_are_found() {
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let children = children(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(children.contains(&child.id()), "{children:?}");
    }

    #[test]
    fn the_memory_of_a_running_process_is_measured_and_compared_with_the_limit() {
        let found = private_bytes(std::process::id()).unwrap();
        assert!(found > 100 << 10, "{found}");
        let limit = |limit_bytes| MemoryLimit { pid: std::process::id(), limit_bytes, cgroup: None };
        assert!(limit(1).is_exceeded() && !limit(u64::MAX - 1).is_exceeded());
    }
}
