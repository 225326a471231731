//! Explains why a connection failed.
//!
//! In: an error of the redis crate. Out: a [`ConnectError`] with the cause and the remedy.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};
use rustls::{AlertDescription, CertificateError};

use super::connect_error::ConnectError;
use super::probe::{speaks_plain, speaks_tls};
use crate::config::{HostPort, RedisAddress, RedisTls, ServerPlace};

/// The peer of a connection that failed.
pub(super) struct Peer<'a> {
    /// The name of the peer in messages.
    name: String,
    /// The host and the port; `None` for a Unix socket.
    place: Option<&'a HostPort>,
    tls: Option<&'a RedisTls>,
    role: Role,
    /// True if a failure may be due to a wrong choice of TLS.
    may_probe: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Sentinel,
}

impl<'a> Peer<'a> {
    /// Returns the peer of a connection to a server.
    ///
    /// * `may_probe`: true if no connection to the address has been opened yet.
    pub(super) fn server(address: &'a RedisAddress, place: &'a ServerPlace, may_probe: bool) -> Self {
        let tcp = match place {
            ServerPlace::Tcp(place) => Some(place),
            ServerPlace::Unix(_) => None,
        };
        Self { name: place.to_string(), place: tcp, tls: address.tls(), role: Role::Server, may_probe }
    }

    /// Returns the peer of a connection to a sentinel.
    pub(super) fn sentinel(address: &'a RedisAddress, place: &'a HostPort, may_probe: bool) -> Self {
        Self {
            name: format!("sentinel {place}"),
            place: Some(place),
            tls: address.tls(),
            role: Role::Sentinel,
            may_probe,
        }
    }
}

/// Returns the cause and the remedy of a failed connection.
pub(super) async fn explain(error: &RedisError, peer: &Peer<'_>) -> ConnectError {
    if let Some(explained) = io_error(error).and_then(tls_error).and_then(|error| explain_tls(error, peer)) {
        return explained;
    }
    if let Some(explained) = explain_reply(error, peer) {
        return explained;
    }
    if let Some(explained) = explain_silence(error, peer).await {
        return explained;
    }
    let reason = if error.is_timeout() { "no response within the time limit".to_owned() } else { error.to_string() };
    match peer.role {
        Role::Server => ConnectError::unavailable(reason),
        Role::Sentinel => ConnectError::unavailable(format!("{}: {reason}", peer.name)),
    }
}

/// Returns the I/O error in an error of the redis crate.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    // The crate wraps the error in an `Arc`, which is itself the source.
    error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?.downcast_ref()
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Explains an error of the TLS handshake.
fn explain_tls(error: &rustls::Error, peer: &Peer) -> Option<ConnectError> {
    let name = &peer.name;
    match error {
        rustls::Error::InvalidCertificate(reason) => Some(explain_certificate(reason, name)),
        rustls::Error::InvalidMessage(_) => Some(without_tls(name)),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => Some(ConnectError::rejected(
            format!("{name} supports neither TLS 1.2 nor TLS 1.3"),
            "set `tls-protocols` of the server",
        )),
        rustls::Error::AlertReceived(alert) => Some(explain_alert(*alert, peer)),
        _ => None,
    }
}

fn without_tls(name: &str) -> ConnectError {
    ConnectError::rejected(
        format!("{name} does not use TLS"),
        "write the scheme without TLS (redis:// or redis+sentinel://), or the TLS port of the server",
    )
}

fn explain_certificate(reason: &CertificateError, name: &str) -> ConnectError {
    let (cause, remedy) = match reason {
        CertificateError::UnknownIssuer => (
            format!("an unknown authority has signed the certificate of {name}"),
            "set REDIS_TLS_CA to the file with the certificate of the authority",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("the certificate of {name} is for other host names"),
            "write a host name of the certificate (with sentinels: `sentinel announce-hostnames yes`), or set \
             REDIS_TLS_VERIFY=authority",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (format!("the certificate of {name} has expired"), "renew it")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (format!("the certificate of {name} is not valid yet"), "check the clocks of both machines")
        }
        other => (
            format!("the certificate of {name} is not accepted: {other}"),
            "replace it with a server certificate that an authority has signed",
        ),
    };
    ConnectError::rejected(cause, remedy)
}

/// Explains an alert, by which a server rejects the client.
fn explain_alert(alert: AlertDescription, peer: &Peer) -> ConnectError {
    let name = &peer.name;
    let remedy = "set REDIS_TLS_CERT and REDIS_TLS_KEY to a certificate that the server accepts, or set \
                  `tls-auth-clients no` at the server";
    match peer.tls.and_then(|tls| tls.client.as_ref()) {
        Some(_) => ConnectError::rejected(format!("{name} rejects the client certificate ({alert:?})"), remedy),
        None => ConnectError::rejected(format!("{name} requires a client certificate ({alert:?})"), remedy),
    }
}

/// Explains an error that Redis has returned.
fn explain_reply(error: &RedisError, peer: &Peer) -> Option<ConnectError> {
    let name = &peer.name;
    let correct = match peer.role {
        Role::Server => "correct the login in REDIS_URL, or REDIS_USERNAME and REDIS_PASSWORD",
        Role::Sentinel => "correct REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD",
    };
    let (cause, remedy) = match (error.code(), error.kind()) {
        (Some("NOAUTH"), _) => (format!("{name} requires a password"), correct),
        // The redis crate replaces the code of a failed `SELECT` and keeps only its text.
        (Some("ERR"), _) if error.detail() == Some("Authentication required.") => {
            (format!("{name} requires a password"), correct)
        }
        (Some("DENIED"), _) => {
            (format!("{name} is in protected mode"), "set a password at the server (`requirepass`), and in REDIS_URL")
        }
        (Some("WRONGPASS"), _) | (_, ErrorKind::AuthenticationFailed) => {
            (format!("{name} rejects the user name or the password"), correct)
        }
        (_, ErrorKind::RESP3NotSupported) => {
            (format!("{name} does not support protocol 3"), "remove `protocol=3` from REDIS_URL")
        }
        (_, ErrorKind::InvalidClientConfig) => (error.to_string(), "correct REDIS_URL and the variables REDIS_TLS_…"),
        (Some("ERR"), _) if error.to_string().contains("refused to switch database") => {
            let reason = error.detail().unwrap_or("no reason given");
            (format!("{name} rejects the database: {reason}"), "correct REDIS_DB or the database in REDIS_URL")
        }
        _ => return None,
    };
    Some(ConnectError::rejected(cause, remedy))
}

/// Explains a connection that was closed, or on which the server did not respond: one side may use
/// TLS, and the other may not.
async fn explain_silence(error: &RedisError, peer: &Peer<'_>) -> Option<ConnectError> {
    let is_silent = error.is_timeout() || (error.is_connection_dropped() && !error.is_connection_refusal());
    let place = peer.place.filter(|_| is_silent && peer.may_probe)?;
    let name = &peer.name;
    match peer.tls {
        Some(_) if speaks_plain(place).await => Some(without_tls(name)),
        Some(tls) if !error.is_timeout() && tls.client.is_none() && speaks_tls(place).await => {
            Some(ConnectError::rejected(
                format!("{name} closes the connection after the TLS handshake; it may require a client certificate"),
                "set REDIS_TLS_CERT and REDIS_TLS_KEY, or set `tls-auth-clients no` at the server",
            ))
        }
        None if speaks_tls(place).await => Some(ConnectError::rejected(
            format!("{name} uses TLS"),
            "write the scheme with TLS (rediss:// or rediss+sentinel://), or the plain port of the server",
        )),
        _ => None,
    }
}
