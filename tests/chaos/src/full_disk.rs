//! A full disk at the spool of a worker.
//!
//! In: the folder of the spool. Out: a folder in which no file can be written. A file system of
//! 64 KiB in memory is mounted at the folder and filled. Without the right to mount, the folder is
//! replaced by a file, so that no file can be created in it either.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The size of the mounted file system.
const SIZE: &str = "size=64k";

/// A spool on a full disk. Dropping this value makes the folder usable again.
pub(crate) enum FullDisk {
    /// A file system of its own is mounted at the folder.
    Mounted { spool: PathBuf },
    /// The folder was renamed, and a file has its name.
    Replaced { spool: PathBuf, aside: PathBuf },
}

impl FullDisk {
    /// Makes a spool unusable. Results that are in it stay on disk, but are not visible until this
    /// value is dropped.
    ///
    /// # Errors
    /// Returns an error if neither method works.
    pub(crate) fn fill(spool: &Path) -> Result<Self> {
        std::fs::create_dir_all(spool).with_context(|| format!("cannot create {}", spool.display()))?;
        if mount(spool) {
            let full = Self::Mounted { spool: spool.to_owned() };
            fill_up(&spool.join("filler"))?;
            return Ok(full);
        }
        Self::replace(spool)
    }

    fn replace(spool: &Path) -> Result<Self> {
        let aside = spool.with_extension("aside");
        std::fs::rename(spool, &aside).context("cannot rename the spool")?;
        std::fs::write(spool, "").context("cannot replace the spool by a file")?;
        Ok(Self::Replaced { spool: spool.to_owned(), aside })
    }

    /// Returns the method, for the report.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Mounted { .. } => "a full tmpfs of 64 KiB is mounted at the spool",
            Self::Replaced { .. } => "the spool is replaced by a file, because tmpfs cannot be mounted",
        }
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // The run continues if this fails: a spool that stays unusable is a harder test.
        let _ = match self {
            Self::Mounted { spool } => run(Command::new("umount").arg("--lazy").arg(spool)),
            Self::Replaced { spool, aside } => {
                std::fs::remove_file(&*spool).and_then(|()| std::fs::rename(aside, spool)).is_ok()
            }
        };
    }
}

fn mount(spool: &Path) -> bool {
    run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(spool))
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Writes a file until the disk is full.
fn fill_up(path: &Path) -> Result<()> {
    let mut file = std::fs::File::create(path).context("cannot create a file in the mounted spool")?;
    let is_full = (0..1024).any(|_| file.write_all(&[0; 1024]).is_err());
    ensure!(is_full, "the disk mounted at {} is not full after 1 MiB", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_can_be_written_to_a_full_spool_and_its_files_return_later() {
        for fill in [FullDisk::fill, FullDisk::replace] {
            let folder = tempfile::tempdir().unwrap();
            let spool = folder.path().join("spool");
            std::fs::create_dir(&spool).unwrap();
            std::fs::write(spool.join("result.json"), "{}").unwrap();
            let full = fill(&spool).unwrap();
            let write = || std::fs::write(spool.join("new.json"), [0; 8192]);
            write().unwrap_err();
            drop(full);
            write().unwrap();
            assert_eq!(std::fs::read_to_string(spool.join("result.json")).unwrap(), "{}");
        }
    }
}
