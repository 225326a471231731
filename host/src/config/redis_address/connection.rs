//! Converts an address to the connection infos of the redis crate.

use std::io;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

use super::tls::{RedisTls, Verification};
use super::{HostPort, Login, RedisAddress, SentinelGroup, ServerPlace};

impl RedisAddress {
    /// Returns the connection info of a server, with its login and database.
    ///
    /// # Errors
    /// Returns [`RedisError`](redis::RedisError) if a file of a certificate cannot be read.
    pub fn server_info(&self, place: &ServerPlace) -> RedisResult<ConnectionInfo> {
        let settings = self.login.settings().set_db(self.db.into()).set_protocol(self.protocol);
        let addr = match place {
            ServerPlace::Unix(path) => ConnectionAddr::Unix(path.clone()),
            ServerPlace::Tcp(place) => self.tcp(place)?,
        };
        Ok(addr.into_connection_info()?.set_redis_settings(settings))
    }

    /// Returns the connection info of a sentinel, with its login.
    ///
    /// # Errors
    /// Returns [`RedisError`](redis::RedisError) if a file of a certificate cannot be read.
    pub fn sentinel_info(&self, group: &SentinelGroup, sentinel: &HostPort) -> RedisResult<ConnectionInfo> {
        Ok(self.tcp(sentinel)?.into_connection_info()?.set_redis_settings(group.login.settings()))
    }

    /// Reads the files of the TLS settings, so that a mistake is found before the first connection.
    ///
    /// # Errors
    /// Returns the problem of the file that cannot be used.
    pub(super) fn check_files(&self) -> Result<(), String> {
        let Some(tls) = &self.tls else { return Ok(()) };
        // The files are the same for every host, so any host will do.
        let place = HostPort { host: "localhost".to_owned(), port: 0 };
        tls_address(&place, tls).map(drop).map_err(|error| error.to_string())
    }

    /// Returns the address of a host, with TLS if it is configured.
    fn tcp(&self, place: &HostPort) -> RedisResult<ConnectionAddr> {
        match &self.tls {
            Some(tls) => tls_address(place, tls),
            None => Ok(ConnectionAddr::Tcp(place.host.clone(), place.port)),
        }
    }
}

/// Returns the address of a host with TLS.
fn tls_address(place: &HostPort, tls: &RedisTls) -> RedisResult<ConnectionAddr> {
    let insecure = tls.verification == Verification::Disabled;
    let plain = ConnectionAddr::TcpTls { host: place.host.clone(), port: place.port, insecure, tls_params: None };
    // The parameters of TLS have no public constructor, so a client converts them.
    let client = redis::Client::build_with_tls(plain, tls.read()?)
        .map_err(|error| io::Error::other(format!("invalid certificate or key: {error}")))?;
    let mut address = client.get_connection_info().addr().clone();
    address.set_danger_accept_invalid_hostnames(tls.verification == Verification::WithoutHostname);
    Ok(address)
}

impl Login {
    /// Returns the settings of a connection with this login.
    fn settings(&self) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default();
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        match &self.password {
            Some(password) => settings.set_password(password.reveal()),
            None => settings,
        }
    }
}
