//! A file that one at a time has locked, of all processes on the machine.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::trouble::{Trouble, cache};

/// Between two looks at a lock that another has. Looking, unlike waiting in the kernel, ends with the task that looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits for the lock; it is let go when the file is dropped, or the process ends in any way.
///
/// * `hear`: told once if another has it.
///
/// # Errors
/// The file system's.
pub(crate) async fn lock(path: &Path, hear: &dyn Fn()) -> Result<File, Trouble> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cache(folder))?;
    }
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path).map_err(cache(path))?;
    let mut has_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut has_told, true) {
                    hear();
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(TryLockError::Error(error)) => return Err(cache(path)(error)),
        }
    }
}
