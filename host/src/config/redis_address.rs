//! The checked address of Redis.
//!
//! In: `REDIS_URL`, or `REDIS_HOST`, `REDIS_PORT` and `REDIS_DB`, and the variables of logins and
//! TLS. Out: a [`RedisAddress`], which yields the connection infos of the redis crate. Invariant:
//! neither an address nor an error about one ever displays a password.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use oculus_system::secret::Secret;
use redis::ProtocolVersion;

mod connection;
mod hidden;
mod options;
mod parts;
mod percent;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub(super) use hidden::without_secrets;
pub(super) use parts::{AddressParts, AddressVariables, Provided};
pub use tls::{ClientCertificate, RedisTls, Verification};

/// The time limit for opening a connection, including its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The time limit for a response. It also applies to the transfer of a job's payload. A server that
/// has not responded after this time is treated as gone, even if it still accepts connections.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The checked address of Redis: a server, or the sentinels that know the current primary.
#[derive(Clone)]
pub struct RedisAddress {
    endpoint: RedisEndpoint,
    login: Login,
    db: u16,
    protocol: ProtocolVersion,
    tls: Option<RedisTls>,
    timeouts: RedisTimeouts,
}

/// The place at which Redis is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisEndpoint {
    /// One server.
    Server(ServerPlace),
    /// Sentinels, which name the server.
    Sentinels(SentinelGroup),
}

/// The place of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPlace {
    /// A host and a port.
    Tcp(HostPort),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A host name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The sentinels of a group of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelGroup {
    /// The sentinels, in the order in which they are asked. There is at least one.
    pub sentinels: Vec<HostPort>,
    /// The name of the group in the configuration of the sentinels.
    pub master_name: String,
    /// The login to the sentinels. It differs from the login to the server.
    login: Login,
}

/// The user and the password of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Login {
    username: Option<String>,
    password: Option<Secret>,
}

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct RedisTimeouts {
    /// The time limit for opening a connection, including TLS, login and the check of the server.
    pub connect: Duration,
    /// The time limit for a response.
    pub response: Duration,
}

impl Default for RedisTimeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, response: RESPONSE_TIMEOUT }
    }
}

impl RedisAddress {
    /// Returns the address in a URL.
    ///
    /// # Errors
    /// Returns one sentence per problem. The sentences contain no part of the URL that may be a
    /// secret.
    pub fn parse(url: &str) -> Result<Self, Vec<String>> {
        parts::AddressParts::from_url(url)?.into_address(AddressVariables::default())
    }

    /// Returns the address of a server on this machine, `redis://localhost:6379/0`.
    pub(super) fn local() -> Self {
        let place = HostPort { host: "localhost".to_owned(), port: 6379 };
        Self {
            endpoint: RedisEndpoint::Server(ServerPlace::Tcp(place)),
            login: Login::default(),
            db: 0,
            protocol: ProtocolVersion::RESP2,
            tls: None,
            timeouts: RedisTimeouts::default(),
        }
    }

    /// Returns the place at which Redis is reached.
    pub fn endpoint(&self) -> &RedisEndpoint {
        &self.endpoint
    }

    /// Returns the TLS settings; `None` if connections are not encrypted.
    pub fn tls(&self) -> Option<&RedisTls> {
        self.tls.as_ref()
    }

    /// Returns the time limits.
    pub fn timeouts(&self) -> RedisTimeouts {
        self.timeouts
    }
}

/// Returns a host name or an IP address, with or without brackets, or `None` if the text is neither.
pub(super) fn parse_host(text: &str) -> Option<String> {
    let host = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_ipv6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    url::check_host(host, is_ipv6).ok().map(|()| host.to_owned())
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secure = if self.tls.is_some() { "s" } else { "" };
        match &self.endpoint {
            RedisEndpoint::Server(ServerPlace::Unix(path)) => {
                write!(f, "unix://{}", path.display())?;
                if self.db == 0 { Ok(()) } else { write!(f, "?db={}", self.db) }
            }
            RedisEndpoint::Server(ServerPlace::Tcp(place)) => {
                write!(f, "redis{secure}://{}{place}/{}", self.login, self.db)
            }
            RedisEndpoint::Sentinels(group) => {
                let sentinels: Vec<String> = group.sentinels.iter().map(HostPort::to_string).collect();
                let sentinels = sentinels.join(",");
                write!(f, "redis{secure}+sentinel://{}{sentinels}/{}/{}", self.login, group.master_name, self.db)
            }
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In a URL, an IPv6 address is written in brackets.
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ServerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => fmt::Display::fmt(place, f),
            Self::Unix(path) => fmt::Display::fmt(&path.display(), f),
        }
    }
}

/// Displays the login as in a URL, with `***` in place of the password.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.username, &self.password) {
            (username, Some(_)) => write!(f, "{}:***@", username.as_deref().unwrap_or_default()),
            (_, None) => Ok(()),
        }
    }
}
