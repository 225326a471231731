//! One holder of the GPU at a time, among all jobs of this machine that name the same file.
//!
//! Held by `flock`, which the kernel lets go of when the last process that has the open file is gone. A family's process
//! inherits the file from its job, so that a GPU is free only when nobody computes on it any more, however they ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

/// Where a plugin process has the file, which it never touches.
pub const GPU_FD: std::os::fd::RawFd = 5;

/// One family's way to the GPU.
#[derive(Debug)]
pub struct Gpu {
    file: File,
    /// Calls of this family that are on it.
    n_holds: Mutex<usize>,
}

impl Gpu {
    /// The way by the file at `path`, which is made where it is not there.
    ///
    /// # Errors
    /// The file system's own, also where a link stands in the file's place.
    pub fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Self { file: File::from(file), n_holds: Mutex::default() })
    }

    /// Waits until no other family has the GPU, and keeps it until the hold is dropped.
    ///
    /// * `on_wait`: told once, where it has to wait.
    ///
    /// # Errors
    /// The system's own.
    pub fn hold(&self, on_wait: impl FnOnce()) -> io::Result<Hold<'_>> {
        // Kept while waiting: the family's other calls wait for the same.
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

    /// The file, for the family's process to inherit.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn n_holds(&self) -> MutexGuard<'_, usize> {
        self.n_holds.lock()
    }
}

/// The GPU is this family's as long as this lives.
#[derive(Debug)]
pub struct Hold<'a>(&'a Gpu);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut n_holds = self.0.n_holds();
        *n_holds -= 1;
        if *n_holds == 0 {
            // Cannot fail on a file that is locked; and the end of the processes lets go of it anyway.
            let _ = flock(&self.0.file, FlockOperation::Unlock);
        }
    }
}

/// The file that all jobs of this user on this machine name.
pub fn usual_path() -> PathBuf {
    std::env::temp_dir().join(format!("oculus-host-gpu-{}.lock", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_second_family_waits_until_the_last_call_of_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpu.lock");
        let first = Gpu::at(&path).unwrap();
        let second = Gpu::at(&path).unwrap();
        let unexpected = || panic!("nobody else has it");
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
            assert_eq!(taken, Err(Errno::WOULDBLOCK), "the other call is still on it");
            drop(other);
            assert_eq!(steps.recv().unwrap(), "holds");
        });
        assert!(first.hold(unexpected).is_ok());
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("gpu.lock");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Gpu::at(&link).is_err() && !target.exists());
    }
}
