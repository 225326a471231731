//! A lock file that excludes other tasks and processes on the machine.
//!
//! In: a path. Out: the open file, which owns the lock. Invariant: the operating system releases
//! the lock when the file is closed, even if the process is killed.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::{PolygonError, cache_error};
use super::files;

/// Pause between two attempts to take the lock. A blocking wait in the kernel could not be
/// cancelled with the task. It would also block the other tasks of the thread.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Waits for the lock and takes it. Dropping the returned file releases the lock.
///
/// * `on_busy`: called once if another task has the lock.
///
/// # Errors
/// Returns [`PolygonError::Cache`] if the file cannot be opened or locked.
pub(crate) async fn lock(path: &Path, on_busy: &dyn Fn()) -> Result<File, PolygonError> {
    if let Some(folder) = path.parent() {
        // The files next to the lock are written durably. If their folder is not durable, these
        // files can still be lost.
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
