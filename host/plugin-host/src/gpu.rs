//! A lock of the GPU, shared by all jobs of this machine that use the same lock file.
//!
//! The lock is a `flock`, which the kernel releases when the last process that has inherited the open file ends. A plugin
//! process inherits the file from its job, so the GPU is free only when no process computes on it any more, even if the
//! job has crashed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

/// The file descriptor of the lock file in a plugin process, which does not use it.
pub const GPU_FD: std::os::fd::RawFd = 5;

/// Access to the GPU for one family.
#[derive(Debug)]
pub struct Gpu {
    file: File,
    /// Number of calls of this family that hold the GPU.
    n_holds: Mutex<usize>,
}

impl Gpu {
    /// Opens the lock file at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// The file system's own, also if `path` is a symbolic link.
    pub fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Self { file: File::from(file), n_holds: Mutex::default() })
    }

    /// Waits until no other family holds the GPU, and holds it until the returned value is dropped.
    ///
    /// * `on_wait`: called once if another family holds it.
    ///
    /// # Errors
    /// The system's own.
    pub fn hold(&self, on_wait: impl FnOnce()) -> io::Result<Hold<'_>> {
        // Locked while waiting, so that the other calls of this family wait too.
        let mut n_holds = self.n_holds();
        if *n_holds == 0 {
            match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {
                    on_wait();
                    while let Err(error) = flock(&self.file, FlockOperation::LockExclusive) {
                        if error != Errno::INTR {
                            return Err(error.into());
                        }
                    }
                }
                held => held?,
            }
        }
        *n_holds += 1;
        Ok(Hold(self))
    }

    /// Returns the lock file, which the family's process inherits.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn n_holds(&self) -> MutexGuard<'_, usize> {
        self.n_holds.lock()
    }
}

/// Holds the GPU for one call of a family until it is dropped.
#[derive(Debug)]
pub struct Hold<'a>(&'a Gpu);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut n_holds = self.0.n_holds();
        *n_holds -= 1;
        if *n_holds == 0 {
            // Cannot fail for a locked file, and the end of the processes releases the lock in any case.
            let _ = flock(&self.0.file, FlockOperation::Unlock);
        }
    }
}

/// Returns the lock file that all jobs of this user use on this machine.
pub fn usual_path() -> PathBuf {
    std::env::temp_dir().join(format!("oculus-host-gpu-{}.lock", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_second_family_waits_until_the_last_call_of_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpu.lock");
        let first = Gpu::at(&path).unwrap();
        let second = Gpu::at(&path).unwrap();
        let unexpected = || panic!("no other family holds the GPU");
        let one = first.hold(unexpected).unwrap();
        let other = first.hold(unexpected).unwrap();
        let (sender, steps) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let hold = second.hold(|| sender.send("waits").unwrap());
                sender.send("holds").unwrap();
                drop(hold.unwrap());
            });
            assert_eq!(steps.recv().unwrap(), "waits");
            drop(one);
            let probe = Gpu::at(&path).unwrap();
            let taken = flock(&probe.file, FlockOperation::NonBlockingLockExclusive);
            assert_eq!(taken, Err(Errno::WOULDBLOCK), "the other call still holds it");
            drop(other);
            assert_eq!(steps.recv().unwrap(), "holds");
        });
        assert!(first.hold(unexpected).is_ok());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("gpu.lock");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Gpu::at(&link).is_err() && !target.exists());
    }
}
