//! The Redis of a run, and its faults.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use oculus_tests::sentinels::PrimaryClient;
use oculus_tests::{Redis, processes};
use redis::{Client, Connection};
use tempfile::TempDir;

use crate::fault::FaultKind;
use crate::options::Options;
use crate::server_group::ServerGroup;

/// The number of snapshots that are kept.
const N_SNAPSHOTS: usize = 4;

/// The time limit of a request of the producer.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);

/// The Redis of a run.
pub(crate) enum Server {
    /// A server at a fixed address, which each worker reaches through a proxy of its own.
    Single(Box<SingleServer>),
    /// Servers between which sentinels fail over.
    Group(Box<ServerGroup>),
}

/// The address at which the producer finds Redis.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// The URL of a server.
    Fixed(String),
    /// The client of the primary of a group.
    Sentinels(PrimaryClient),
}

impl Server {
    /// Starts the empty servers that the faults of a run need.
    ///
    /// # Errors
    /// Returns an error if no temporary folder can be created.
    pub(crate) fn start(options: &Options) -> Result<Self> {
        if options.faults.contains(&FaultKind::FailOver) {
            return Ok(Self::Group(Box::new(ServerGroup::start())));
        }
        Ok(Self::Single(Box::new(SingleServer::start()?)))
    }

    /// Returns the server that is the primary.
    pub(crate) fn primary(&self) -> &Redis {
        match self {
            Self::Single(server) => &server.redis,
            Self::Group(group) => group.primary(),
        }
    }

    /// Returns the server at a fixed address, if the run has one.
    pub(crate) fn single(&mut self) -> Option<&mut SingleServer> {
        match self {
            Self::Single(server) => Some(server),
            Self::Group(_) => None,
        }
    }

    /// Returns the servers between which sentinels fail over, if the run has them.
    pub(crate) fn group(&mut self) -> Option<&mut ServerGroup> {
        match self {
            Self::Single(_) => None,
            Self::Group(group) => Some(group),
        }
    }

    /// Returns the address for the producer.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Single(server) => Address::Fixed(server.redis.url()),
            Self::Group(group) => Address::Sentinels(group.client()),
        }
    }

    /// Opens a connection to the socket of the primary.
    ///
    /// # Errors
    /// Returns an error if the primary is not running.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let client = Client::open(self.primary().url()).context("invalid Redis URL")?;
        client.get_connection().context("cannot connect to Redis")
    }
}

impl Address {
    /// Opens a connection, or returns `None` if no primary responds.
    pub(crate) fn connect(&self) -> Option<Connection> {
        match self {
            Self::Fixed(url) => Client::open(url.as_str()).ok()?.get_connection().ok(),
            Self::Sentinels(client) => client.connect(REQUEST_LIMIT),
        }
    }
}

/// A private Redis with an append-only file, and its last snapshots.
pub(crate) struct SingleServer {
    redis: Redis,
    is_up: bool,
    folder: TempDir,
    /// The last snapshots, oldest first.
    snapshots: VecDeque<PathBuf>,
    n_saved: u64,
}

impl SingleServer {
    fn start() -> Result<Self> {
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

    /// Continues the server after [`SingleServer::freeze`].
    pub(crate) fn thaw(&self) {
        processes::thaw(self.redis.pid());
    }
}
