//! Opens connections to the server at an address, which the sentinels name if there are any.
//!
//! In: a [`RedisAddress`]. Out: connections to a server that has been checked. Invariant: every
//! connection of this program to Redis is opened here, so all of them follow a fail-over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use oculus_market_data::tls;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionInfo};

use super::connect_error::{ConnectError, ConnectErrorKind};
use super::diagnosis::{Peer, explain};
use super::sentinel;
use super::server_check::{self, CheckError};
use crate::config::{RedisAddress, RedisEndpoint, SentinelGroup, ServerPlace};
use crate::worker::server_id::ServerId;

/// Opens connections to one address. All clients of a process share one connector, so that the
/// failure that one client notices makes the others look for the server again.
pub struct Connector {
    address: RedisAddress,
    /// The number of times that a server was found to be gone. The counter guards no other memory,
    /// so all accesses are `Relaxed`.
    epoch: AtomicU64,
    /// The index of the sentinel that answered last. It is asked first.
    first_sentinel: AtomicUsize,
    /// True if a connection has been opened.
    has_connected: AtomicBool,
    /// True if a reply has shown that the server is in cluster mode.
    is_cluster: AtomicBool,
}

/// A connection to a server that has been checked.
#[derive(Clone)]
pub struct OpenConnection {
    /// The connection.
    pub connection: MultiplexedConnection,
    /// The server; `None` if the Redis user may not run `INFO`.
    pub server: Option<ServerId>,
    /// The connection info, for further connections to the same server.
    pub info: ConnectionInfo,
    /// The epoch of the connector at which the server was looked up.
    epoch: u64,
}

impl Connector {
    /// Creates a connector. Opens no connection.
    pub fn new(address: RedisAddress) -> Arc<Self> {
        tls::install();
        Arc::new(Self {
            address,
            epoch: AtomicU64::new(0),
            first_sentinel: AtomicUsize::new(0),
            has_connected: AtomicBool::new(false),
            is_cluster: AtomicBool::new(false),
        })
    }

    /// Returns the time limit for a response.
    pub fn response_timeout(&self) -> Duration {
        self.address.timeouts().response
    }

    /// Opens a connection to the current server and checks the server.
    ///
    /// # Errors
    /// Returns [`ConnectError`] if there is no server that can be used.
    pub async fn connect(&self, response_timeout: Duration) -> Result<OpenConnection, ConnectError> {
        let opened = match self.address.endpoint() {
            RedisEndpoint::Server(place) => self.open(place, response_timeout).await?,
            RedisEndpoint::Sentinels(group) => self.open_primary(group, response_timeout).await?,
        };
        self.has_connected.store(true, Ordering::Relaxed);
        Ok(opened)
    }

    /// Returns whether no client has found the server gone since this connection was opened.
    pub fn is_current(&self, opened: &OpenConnection) -> bool {
        opened.epoch == self.epoch.load(Ordering::Relaxed)
    }

    /// Records that the server of a connection no longer responds, or is no longer the primary.
    pub fn note_gone(&self, opened: &OpenConnection) {
        // Several clients usually notice the same failure. Only the first one advances the epoch,
        // so that the connections that were opened since then are kept.
        let next = opened.epoch + 1;
        let _ = self.epoch.compare_exchange(opened.epoch, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Records that the server is in cluster mode. Returns the error.
    pub fn note_cluster(&self) -> ConnectError {
        self.is_cluster.store(true, Ordering::Relaxed);
        ConnectError::cluster()
    }

    /// Returns whether a failure may be due to a wrong choice of TLS: no connection has been opened
    /// yet. Later failures are outages, which a probe would only prolong.
    fn may_probe(&self) -> bool {
        !self.has_connected.load(Ordering::Relaxed)
    }

    /// Opens a connection to the primary that the sentinels name.
    async fn open_primary(
        &self,
        group: &SentinelGroup,
        response_timeout: Duration,
    ) -> Result<OpenConnection, ConnectError> {
        let n_sentinels = group.sentinels.len();
        let first = self.first_sentinel.load(Ordering::Relaxed);
        let may_probe = self.may_probe();
        let mut tried = Vec::new();
        let mut errors = Vec::new();
        for offset in 0..n_sentinels {
            let index = (first + offset) % n_sentinels;
            let place = match sentinel::primary(&self.address, group, &group.sentinels[index], may_probe).await {
                Ok(place) => ServerPlace::Tcp(place),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            // A sentinel without contact to the others may name a former primary, so the answers
            // of the others count too.
            if tried.contains(&place) {
                continue;
            }
            match self.open(&place, response_timeout).await {
                Ok(opened) => {
                    self.first_sentinel.store(index, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(error) if error.is_unusable() => return Err(error),
                Err(error) => errors.push(ConnectError { cause: format!("primary {place}: {}", error.cause), ..error }),
            }
            tried.push(place);
        }
        Err(combine(errors))
    }

    /// Opens a connection to one server.
    async fn open(&self, place: &ServerPlace, response_timeout: Duration) -> Result<OpenConnection, ConnectError> {
        let peer = Peer::server(&self.address, place, self.may_probe());
        // The limit includes the login and the check, because a server that is suspended still
        // accepts connections.
        let limit = self.address.timeouts().connect;
        let opened = tokio::time::timeout(limit, self.open_unlimited(place, response_timeout)).await;
        let timed_out = |_| Err(CheckError::Redis(io::Error::from(io::ErrorKind::TimedOut).into()));
        match opened.unwrap_or_else(timed_out) {
            Ok(opened) => Ok(opened),
            Err(CheckError::Server(error)) => Err(error),
            Err(CheckError::Redis(error)) => Err(explain(&error, &peer).await),
        }
    }

    async fn open_unlimited(
        &self,
        place: &ServerPlace,
        response_timeout: Duration,
    ) -> Result<OpenConnection, CheckError> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        let info = self.address.server_info(place)?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(Some(response_timeout));
        let client = redis::Client::open(info.clone())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let needs_primary = matches!(self.address.endpoint(), RedisEndpoint::Sentinels(_));
        let server = server_check::check(&mut connection, needs_primary).await?;
        // Without `INFO` and without the right to probe the slots, only an earlier reply shows the
        // cluster mode.
        if server.is_none() && self.is_cluster.load(Ordering::Relaxed) {
            return Err(CheckError::Server(ConnectError::cluster()));
        }
        Ok(OpenConnection { connection, server, info, epoch })
    }
}

/// Combines the errors of several sentinels and primaries.
fn combine(mut errors: Vec<ConnectError>) -> ConnectError {
    errors.dedup();
    let kind = errors.iter().map(|error| error.kind).min().unwrap_or(ConnectErrorKind::Unavailable);
    let causes: Vec<String> = errors.iter().map(ConnectError::to_string).collect();
    ConnectError { kind, cause: causes.join("; "), remedy: None }
}
