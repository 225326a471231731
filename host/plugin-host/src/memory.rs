//! Enforces the memory limit of a plugin process.
//!
//! If the host's control group is in a delegated folder (systemd: `Delegate=memory` and `DelegateSubgroup=`), the kernel
//! enforces the limit, for the process and everything that it starts (`cgroup`). Otherwise the caller polls the memory of
//! the process. Limits of address space (`RLIMIT_AS`) or data (`RLIMIT_DATA`) do not work: libtorch, CUDA and allocators
//! reserve many times what they use (a process of the LSTM: 1.6 GiB mapped, 1.1 GiB of it private, 88 MiB resident), and
//! a plugin whose allocation fails ends at an arbitrary place, so the cause could not be reported.

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
    /// Limits a process that has just started.
    ///
    /// * `limit_bytes`: private memory; `u64::MAX` means no limit.
    pub(crate) fn on(pid: u32, limit_bytes: u64) -> Self {
        static DELEGATED: OnceLock<Option<PathBuf>> = OnceLock::new();
        static N_GROUPS: AtomicUsize = AtomicUsize::new(0);
        let parent = DELEGATED.get_or_init(cgroup::delegated).as_deref().filter(|_| limit_bytes < u64::MAX);
        let group = |parent: &Path| {
            let name = format!("{}{}-{}", cgroup::PREFIX, std::process::id(), N_GROUPS.fetch_add(1, Ordering::Relaxed));
            let refused = |error: &std::io::Error| {
                tracing::debug!(pid, "no control group for a plugin process, its memory is polled instead: {error}");
            };
            Cgroup::with_process(parent.join(name), pid, limit_bytes).inspect_err(refused).ok()
        };
        Self { pid, limit_bytes, cgroup: parent.and_then(group) }
    }

    /// Returns the limit in bytes.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Returns whether the process uses more than the limit, or was killed by the kernel for it.
    pub(crate) fn is_exceeded(&self) -> bool {
        match &self.cgroup {
            _ if self.limit_bytes == u64::MAX => false,
            Some(group) => group.has_killed(),
            None => with_children(self.pid).is_some_and(|bytes| bytes > self.limit_bytes),
        }
    }
}

/// Returns the private memory of a process and of everything that it has started; `None` if it has ended.
fn with_children(pid: u32) -> Option<u64> {
    let mut n_bytes = own_bytes(pid)?;
    let mut next = children_of(pid);
    while let Some(child) = next.pop() {
        n_bytes = n_bytes.saturating_add(own_bytes(child).unwrap_or(0));
        next.extend(children_of(child));
    }
    Some(n_bytes)
}

/// Returns the children that the threads of a process have started; none on systems other than Linux.
fn children_of(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Returns the private memory of a process; `None` if the system does not report it, for example after the end of the
/// process.
fn own_bytes(pid: u32) -> Option<u64> {
    if cfg!(target_os = "linux") {
        return anonymous_bytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    }
    // Includes shared memory.
    let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the bytes of anonymous pages, including those in swap, from the text of `/proc/PID/status`. The mapped table
/// and libraries do not count, because the kernel can drop their pages.
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
    fn only_anonymous_pages_count() {
        let status = "VmPeak:\t 9000000 kB\nVmRSS:\t  300000 kB\nRssAnon:\t   20480 kB\nRssFile:\t  279520 kB\n\
                      RssShmem:\t       0 kB\nVmSwap:\t    1024 kB\n";
        assert_eq!(anonymous_bytes(status), Some(21 << 20));
        assert_eq!(anonymous_bytes("Name:\tzombie\nState:\tZ (zombie)\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_of_a_process_are_found() {
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let children = children_of(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(children.contains(&child.id()), "{children:?}");
    }

    #[test]
    fn the_memory_of_a_running_process_is_measured_and_compared_with_the_limit() {
        let found = own_bytes(std::process::id()).unwrap();
        assert!(found > 100 << 10, "{found}");
        let limit = |limit_bytes| MemoryLimit { pid: std::process::id(), limit_bytes, cgroup: None };
        assert!(limit(1).is_exceeded() && !limit(u64::MAX - 1).is_exceeded());
    }
}
