//! An exclusive lock of the GPU. All jobs on this machine that use the same lock file compete for
//! this lock.
//!
//! The lock is a `flock`, which the kernel releases when the last process that inherited the open
//! file terminates. A plugin process inherits the file from its job. Therefore the GPU stays locked
//! while a process computes on it, even if the job has crashed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

/// The file descriptor of the lock file in a plugin process. The process only keeps it open.
pub const GPU_FD: std::os::fd::RawFd = 5;

/// Access to the GPU for one family.
#[derive(Debug)]
pub struct Gpu {
    file: File,
    /// The number of calls of this family that hold the lock. A `flock` belongs to the open file,
    /// so calls that share the file also share the lock.
    n_holders: Mutex<usize>,
}

impl Gpu {
    /// Opens the lock file at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be opened or created, or if `path` is a symbolic
    /// link.
    pub fn open(path: &Path) -> io::Result<Self> {
        // The file is in a folder that other users may write, so a link could make this user create
        // any file.
        let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Self { file: File::from(file), n_holders: Mutex::default() })
    }

    /// Waits until no other family holds the lock, and acquires it for one call.
    ///
    /// * `on_wait`: called once if another family holds the lock.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the system cannot lock the file.
    pub fn acquire(&self, on_wait: impl FnOnce()) -> io::Result<GpuGuard<'_>> {
        // This mutex stays locked during the wait, so that other calls of this family wait too.
        let mut n_holders = self.n_holders();
        if *n_holders == 0 {
            match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {
                    on_wait();
                    while let Err(error) = flock(&self.file, FlockOperation::LockExclusive) {
                        if error != Errno::INTR {
                            return Err(error.into());
                        }
                    }
                }
                result => result?,
            }
        }
        *n_holders += 1;
        Ok(GpuGuard(self))
    }

    /// Returns the lock file, which the family's process inherits.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn n_holders(&self) -> MutexGuard<'_, usize> {
        self.n_holders.lock()
    }
}

/// The lock of the GPU for one call of a family, released when dropped.
#[derive(Debug)]
pub struct GpuGuard<'a>(&'a Gpu);

impl Drop for GpuGuard<'_> {
    fn drop(&mut self) {
        let mut n_holders = self.0.n_holders();
        *n_holders -= 1;
        if *n_holders == 0 {
            // The error is ignored: unlocking a locked file does not fail, and the kernel releases
            // the lock when the processes terminate.
            let _ = flock(&self.0.file, FlockOperation::Unlock);
        }
    }
}

/// Returns the path of the lock file that all jobs of this user on this machine share by default.
pub fn default_lock_path() -> PathBuf {
    std::env::temp_dir().join(format!("oculus-host-gpu-{}.lock", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_second_family_waits_until_the_last_call_of_the_first_finishes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpu.lock");
        let first = Gpu::open(&path).unwrap();
        let second = Gpu::open(&path).unwrap();
        let unexpected = || panic!("no other family holds the GPU");
        let one = first.acquire(unexpected).unwrap();
        let other = first.acquire(unexpected).unwrap();
        let (sender, steps) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let guard = second.acquire(|| sender.send("waits").unwrap());
                sender.send("holds").unwrap();
                drop(guard.unwrap());
            });
            assert_eq!(steps.recv().unwrap(), "waits");
            drop(one);
            let probe = Gpu::open(&path).unwrap();
            let taken = flock(&probe.file, FlockOperation::NonBlockingLockExclusive);
            assert_eq!(taken, Err(Errno::WOULDBLOCK), "the other call still holds the lock");
            drop(other);
            assert_eq!(steps.recv().unwrap(), "holds");
        });
        assert!(first.acquire(unexpected).is_ok());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("gpu.lock");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Gpu::open(&link).is_err() && !target.exists());
    }
}
