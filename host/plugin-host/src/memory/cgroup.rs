//! A control group (version 2) of its own for one plugin process, where the host may make one.
//!
//! In: the folder of a group that was handed to the host and holds no process itself; the host's own processes are in a
//! group inside it. Out: one more group beside theirs, with a limit, and what the kernel says of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// How the names of our groups begin.
pub(super) const PREFIX: &str = "plugin-";

/// How often, and after what time each, the folder of a group is removed whose processes are on their way out.
const REMOVALS: usize = 50;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(2);

/// The folder in which this process may make groups with a limit of memory; `None` where there is none.
pub(super) fn delegated() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let parent = parent_of(&own, Path::new(MOUNT))?;
    let prepared = prepare(&parent);
    if let Err(error) = &prepared {
        tracing::debug!(folder = %parent.display(), "no control groups for plugin processes: {error}");
    }
    prepared.ok().map(|()| parent)
}

/// The group around this process's own, from the words of `/proc/self/cgroup`.
fn parent_of(own: &str, mount: &Path) -> Option<PathBuf> {
    // Version 2 has the number 0 and names no controller; of version 1 nothing is used.
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let parent = Path::new(path).parent()?;
    Some(mount.join(parent))
}

/// Makes sure that groups inside may have a limit of memory.
fn prepare(parent: &Path) -> io::Result<()> {
    if !fs::read_to_string(parent.join("cgroup.procs"))?.trim().is_empty() {
        return Err(io::Error::other("it holds processes itself"));
    }
    fs::write(parent.join("cgroup.subtree_control"), "+memory")?;
    // What a killed job left. A group with processes cannot be removed.
    for entry in fs::read_dir(parent)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// A group; removed when dropped, with the processes that are still in it.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// Creates a group at `folder` and moves a process into it.
    ///
    /// # Errors
    /// The error of the file system; no group is left behind then.
    pub(super) fn with_process(folder: PathBuf, pid: u32, limit_bytes: u64) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let group = Self(folder);
        group.write("memory.max", limit_bytes)?;
        // The kernel kills the whole group or nothing. Without swap this file does not exist.
        let _ = group.write("memory.swap.max", 0);
        group.write("memory.oom.group", 1)?;
        group.write("cgroup.procs", pid.into())?;
        Ok(group)
    }

    /// Whether the kernel has killed in it for want of memory.
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
        for _ in 0..REMOVALS {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(BETWEEN_REMOVALS),
                _ => return,
            }
        }
    }
}

/// From the words of `memory.events`.
fn n_kills(events: &str) -> u64 {
    let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    kills.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files of a group, as far as a file system of another kind can play one.
    fn group_of_files(procs: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.procs"), procs).unwrap();
        folder
    }

    #[test]
    fn the_group_around_the_hosts_own_is_where_new_ones_go() {
        let mount = Path::new("/sys/fs/cgroup");
        let parent = |own: &str| parent_of(own, mount);
        let service = "0::/system.slice/oculus.service/worker\n";
        assert_eq!(parent(service).unwrap(), mount.join("system.slice/oculus.service"));
        assert_eq!(parent("12:memory:/a/b\n0::/a\n").unwrap(), mount.join(""));
        assert_eq!(parent("0::/\n"), None, "what is around the root of a container is not ours");
        assert_eq!(parent("9:memory:/a/b\n"), None);
    }

    #[test]
    fn a_group_that_holds_processes_itself_takes_no_others() {
        let taken = group_of_files("17\n");
        assert_eq!(prepare(taken.path()).unwrap_err().kind(), io::ErrorKind::Other);
        assert!(!taken.path().join("cgroup.subtree_control").exists());
        let free = group_of_files("");
        prepare(free.path()).unwrap();
        assert_eq!(fs::read_to_string(free.path().join("cgroup.subtree_control")).unwrap(), "+memory");
    }

    #[test]
    fn a_process_joins_a_group_that_has_its_limits() {
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
    fn a_group_that_ends_takes_its_processes_with_it() {
        let parent = group_of_files("");
        let folder = parent.path().join("plugin-1-0");
        fs::create_dir(&folder).unwrap();
        drop(Cgroup(folder.clone()));
        assert_eq!(fs::read_to_string(folder.join("cgroup.kill")).unwrap(), "1");
    }

    #[test]
    fn groups_that_a_killed_job_left_are_removed_and_no_others() {
        let parent = group_of_files("");
        let folder = |name: &str| parent.path().join(name);
        ["plugin-1-0", "plugin-2-7", "worker"].iter().for_each(|name| fs::create_dir(folder(name)).unwrap());
        // As good as a process in it: it cannot be removed.
        fs::write(folder("plugin-2-7").join("cgroup.procs"), "4711").unwrap();
        prepare(parent.path()).unwrap();
        let left = ["plugin-1-0", "plugin-2-7", "worker"].map(|name| folder(name).is_dir());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn a_group_is_never_one_that_is_there_already() {
        let parent = group_of_files("");
        let folder = parent.path().join("plugin-1-0");
        fs::create_dir(&folder).unwrap();
        let error = Cgroup::with_process(folder, 1, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
