//! A control group (version 2) for one plugin process, if the host is permitted to create one.
//!
//! In: the folder of a group that is delegated to the host. The group directly contains no process;
//! the host's processes are in one of its subgroups. Out: another subgroup with a memory limit, and
//! whether the kernel has killed a process in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder in which control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// Prefix of the names of groups that the host creates.
pub(super) const PREFIX: &str = "plugin-";

/// The number of attempts to remove the folder of a group. Removal fails while a killed process is
/// still terminating.
const MAX_REMOVALS: usize = 50;
/// Delay between two attempts to remove the folder of a group.
const REMOVAL_DELAY: Duration = Duration::from_millis(2);

/// Returns the folder in which this process may create groups with a memory limit, or `None` if
/// there is no such folder.
pub(super) fn delegated() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let parent = parent_group(&groups, Path::new(MOUNT))?;
    let prepared = prepare(&parent);
    if let Err(error) = &prepared {
        tracing::debug!(folder = %parent.display(), "cannot create control groups for plugin processes: {error}");
    }
    prepared.ok().map(|()| parent)
}

/// Parses the text of `/proc/self/cgroup` and returns the parent of the group of this process.
fn parent_group(groups: &str, mount: &Path) -> Option<PathBuf> {
    // The line of version 2 has the number 0 and does not name a controller. Lines of version 1 are
    // ignored.
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let parent = Path::new(path).parent()?;
    Some(mount.join(parent))
}

/// Enables memory limits for the subgroups of a group, and removes the subgroups that killed jobs
/// left.
///
/// # Errors
/// Returns [`io::Error`] if the group directly contains processes or cannot be written.
fn prepare(parent: &Path) -> io::Result<()> {
    // The kernel does not allow controllers for the subgroups of a group that directly contains
    // processes.
    if !fs::read_to_string(parent.join("cgroup.procs"))?.trim().is_empty() {
        return Err(io::Error::other("the group directly contains processes"));
    }
    fs::write(parent.join("cgroup.subtree_control"), "+memory")?;
    // A group that still contains processes cannot be removed, so the groups of running jobs are
    // safe.
    for entry in fs::read_dir(parent)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// A control group. Dropping it kills the processes that are still in it and removes it.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// Creates a group at `folder` and moves a process into it.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the group exists already or one of its files cannot be written.
    /// After such an error, the new group is removed again.
    pub(super) fn with_process(folder: PathBuf, pid: u32, limit_bytes: u64) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let group = Self(folder);
        group.write("memory.max", limit_bytes)?;
        // The group may use no swap, because swap would extend the limit. On a system without swap
        // this file does not exist.
        let _ = group.write("memory.swap.max", 0);
        // With this setting, the kernel kills the whole group instead of a single process in it.
        group.write("memory.oom.group", 1)?;
        // The process is moved last, so that the limits apply as soon as it is in the group.
        group.write("cgroup.procs", pid.into())?;
        Ok(group)
    }

    /// Returns whether the kernel has killed a process of the group because the limit was exceeded.
    pub(super) fn has_killed(&self) -> bool {
        fs::read_to_string(self.0.join("memory.events")).is_ok_and(|events| n_kills(&events) > 0)
    }

    fn write(&self, file: &str, number: u64) -> io::Result<()> {
        fs::write(self.0.join(file), number.to_string())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = self.write("cgroup.kill", 1);
        for _ in 0..MAX_REMOVALS {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(REMOVAL_DELAY),
                _ => return,
            }
        }
    }
}

/// Parses the number of kills from the text of `memory.events`.
fn n_kills(events: &str) -> u64 {
    let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    kills.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates an ordinary folder with the file `cgroup.procs`, which lists the processes of a
    /// group.
    fn group_of_files(procs: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.procs"), procs).unwrap();
        folder
    }

    #[test]
    fn new_groups_are_created_in_the_parent_of_the_hosts_group() {
        let mount = Path::new("/sys/fs/cgroup");
        let parent = |groups: &str| parent_group(groups, mount);
        let service = "0::/system.slice/oculus.service/worker\n";
        assert_eq!(parent(service).unwrap(), mount.join("system.slice/oculus.service"));
        assert_eq!(parent("12:memory:/a/b\n0::/a\n").unwrap(), mount.join(""));
        assert_eq!(parent("0::/\n"), None, "the root group of a container has no parent");
        assert_eq!(parent("9:memory:/a/b\n"), None);
    }

    #[test]
    fn a_group_that_directly_contains_processes_is_rejected() {
        let taken = group_of_files("17\n");
        assert_eq!(prepare(taken.path()).unwrap_err().kind(), io::ErrorKind::Other);
        assert!(!taken.path().join("cgroup.subtree_control").exists());
        let free = group_of_files("");
        prepare(free.path()).unwrap();
        assert_eq!(fs::read_to_string(free.path().join("cgroup.subtree_control")).unwrap(), "+memory");
    }

    #[test]
    fn a_process_is_moved_into_a_group_with_its_limits() {
        let parent = group_of_files("");
        let folder = parent.path().join("plugin-1-0");
        let group = Cgroup::with_process(folder.clone(), 4711, 256 << 20).unwrap();
        let written = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(written("memory.max"), "268435456");
        assert_eq!(written("memory.swap.max"), "0");
        assert_eq!(written("memory.oom.group"), "1");
        assert_eq!(written("cgroup.procs"), "4711");
        assert!(!group.has_killed());
        fs::write(group.0.join("memory.events"), "low 0\nhigh 0\nmax 40\noom 1\noom_kill 3\noom_group_kill 1\n")
            .unwrap();
        assert!(group.has_killed());
    }

    #[test]
    fn a_dropped_group_kills_its_processes() {
        let parent = group_of_files("");
        let folder = parent.path().join("plugin-1-0");
        fs::create_dir(&folder).unwrap();
        drop(Cgroup(folder.clone()));
        assert_eq!(fs::read_to_string(folder.join("cgroup.kill")).unwrap(), "1");
    }

    #[test]
    fn only_empty_groups_of_plugin_processes_are_removed() {
        let parent = group_of_files("");
        let folder = |name: &str| parent.path().join(name);
        ["plugin-1-0", "plugin-2-7", "worker"].iter().for_each(|name| fs::create_dir(folder(name)).unwrap());
        // A file in the folder prevents its removal, as a process would.
        fs::write(folder("plugin-2-7").join("cgroup.procs"), "4711").unwrap();
        prepare(parent.path()).unwrap();
        let left = ["plugin-1-0", "plugin-2-7", "worker"].map(|name| folder(name).is_dir());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn an_existing_group_is_never_reused() {
        let parent = group_of_files("");
        let folder = parent.path().join("plugin-1-0");
        fs::create_dir(&folder).unwrap();
        let error = Cgroup::with_process(folder, 1, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
