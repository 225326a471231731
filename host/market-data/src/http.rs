//! The HTTP client of this process: TLS by ring, and a fallback for machines without root certificates.
//!
//! In: a builder. Out: a client. Invariant: the provider of TLS is installed before a client is built.

use reqwest::{Client, ClientBuilder};

use crate::tls;

/// Builds an HTTP client.
///
/// On a machine without root certificates that fails. A client for `http://` only is built there if `accepts_plain`
/// returns true.
///
/// * `builder`: returns the settings of the client; called again for the fallback.
/// * `accepts_plain`: receives the error of the first attempt.
///
/// # Errors
/// `reqwest`'s own; the error of the first attempt if `accepts_plain` returns false.
pub fn client(
    builder: impl Fn() -> ClientBuilder,
    accepts_plain: impl FnOnce(&reqwest::Error) -> bool,
) -> reqwest::Result<Client> {
    tls::install();
    builder().build().or_else(
        |error| {
            if accepts_plain(&error) { builder().tls_certs_only([]).build() } else { Err(error) }
        },
    )
}
