//! Finds out whether a port speaks TLS, after a connection has failed.
//!
//! In: a host and a port. Out: the protocol, if the port shows it. A failed connection alone does
//! not: Redis waits for the end of a line when it receives a TLS greeting on a plain port, and
//! closes the connection when it receives a command on a TLS port.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::HostPort;

/// The time limit of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns whether the port answers a plain command.
pub(super) async fn speaks_plain(place: &HostPort) -> bool {
    // Replies start with `+PONG`, `-NOAUTH` or `-DENIED`.
    let first = first_byte(place, b"PING\r\n").await;
    first.is_some_and(|byte| byte == b'+' || byte == b'-')
}

/// Returns whether the port answers a TLS greeting.
pub(super) async fn speaks_tls(place: &HostPort) -> bool {
    // Records of a TLS server start with 22 for a handshake or 21 for an alert.
    match greeting() {
        Some(greeting) => first_byte(place, &greeting).await.is_some_and(|byte| byte == 22 || byte == 21),
        None => false,
    }
}

/// Returns the first message of a TLS handshake.
fn greeting() -> Option<Vec<u8>> {
    let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut greeting = Vec::new();
    ClientConnection::new(Arc::new(config), name).ok()?.write_tls(&mut greeting).ok()?;
    Some(greeting)
}

/// Sends a message and returns the first byte of the answer.
async fn first_byte(place: &HostPort, message: &[u8]) -> Option<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect((place.host.as_str(), place.port)).await.ok()?;
        stream.write_all(message).await.ok()?;
        stream.read_u8().await.ok()
    };
    tokio::time::timeout(PROBE_TIMEOUT, exchange).await.ok()?
}
