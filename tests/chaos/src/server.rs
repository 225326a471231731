//! The Redis of a run, and its faults.
//!
//! A fail-over with Sentinel would be a further kind of fault of this part: it needs a replica and
//! sentinels, which [`Server`] would own, and a proxy that follows the primary.

use std::collections::VecDeque;
use std::path::PathBuf;

use anyhow::{Context, Result};
use oculus_tests::{Redis, processes};
use tempfile::TempDir;

/// The number of snapshots that are kept.
const N_SNAPSHOTS: usize = 4;

/// A private Redis with an append-only file, and its last snapshots.
pub(crate) struct Server {
    redis: Redis,
    is_up: bool,
    folder: TempDir,
    /// The last snapshots, oldest first.
    snapshots: VecDeque<PathBuf>,
    n_saved: u64,
}

impl Server {
    /// Starts an empty server.
    ///
    /// # Errors
    /// Returns an error if no temporary folder can be created.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a folder for snapshots")?;
        Ok(Self { redis: Redis::start(), is_up: true, folder, snapshots: VecDeque::new(), n_saved: 0 })
    }

    /// Returns the server.
    pub(crate) fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Returns whether the server is running.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Returns whether there is a snapshot to restore.
    pub(crate) fn has_snapshot(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// Saves a snapshot, and removes the oldest one if there are too many.
    ///
    /// # Errors
    /// Returns an error if the snapshot cannot be written.
    pub(crate) fn save_snapshot(&mut self) -> Result<()> {
        let client = redis::Client::open(self.redis.url()).context("invalid Redis URL")?;
        let mut connection = client.get_connection().context("cannot connect to Redis")?;
        redis::cmd("SAVE").exec(&mut connection).context("cannot save a snapshot")?;
        let snapshot = self.folder.path().join(format!("{}.rdb", self.n_saved));
        std::fs::copy(self.redis.snapshot(), &snapshot).context("cannot copy the snapshot")?;
        self.n_saved += 1;
        self.snapshots.push_back(snapshot);
        if self.snapshots.len() > N_SNAPSHOTS {
            let oldest = self.snapshots.pop_front();
            oldest.map_or(Ok(()), std::fs::remove_file).context("cannot remove the oldest snapshot")?;
        }
        Ok(())
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        if self.is_up {
            self.redis.kill();
            self.is_up = false;
        }
    }

    /// Starts the killed server with its append-only file.
    pub(crate) fn restart(&mut self) {
        if !self.is_up {
            self.redis.restart();
            self.is_up = true;
        }
    }

    /// Starts the killed server with the snapshot that a random number selects.
    pub(crate) fn restore(&mut self, pick: usize) {
        let snapshot = self.snapshots.get(pick % self.snapshots.len().max(1));
        if let (false, Some(snapshot)) = (self.is_up, snapshot) {
            self.redis.restore(snapshot);
            self.is_up = true;
        }
    }

    /// Stops the server with SIGSTOP.
    pub(crate) fn freeze(&self) {
        processes::freeze(self.redis.pid());
    }

    /// Continues the server after [`Server::freeze`].
    pub(crate) fn thaw(&self) {
        processes::thaw(self.redis.pid());
    }
}
