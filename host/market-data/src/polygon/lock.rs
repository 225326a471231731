//! A lock file, which one task of all processes on the machine holds at a time.
//!
//! In: a path. Out: the open file, which holds the lock. Invariant: the lock ends with the file,
//! also if the process is killed.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::{PolygonError, cache_error};
use super::files;

/// Pause between two attempts to take the lock. Unlike a wait in the kernel, the attempts end with
/// their task.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Waits for the lock; it is released when the file is dropped, or when the process ends in any
/// way.
///
/// * `on_busy`: called once if another task holds the lock.
///
/// # Errors
/// The file system's.
pub(crate) async fn lock(path: &Path, on_busy: &dyn Fn()) -> Result<File, PolygonError> {
    if let Some(folder) = path.parent() {
        // Durably, since files are written durably next to the lock.
        files::create_folder(folder)?;
    }
    let file =
        File::options().create(true).truncate(false).read(true).write(true).open(path).map_err(cache_error(path))?;
    let mut is_reported = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut is_reported, true) {
                    on_busy();
                }
                tokio::time::sleep(LOCK_RETRY).await;
            }
            Err(TryLockError::Error(error)) => return Err(cache_error(path)(error)),
        }
    }
}
