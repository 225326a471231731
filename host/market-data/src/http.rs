//! Creates HTTP clients with TLS, and with a fallback for machines without root certificates.
//!
//! In: a builder. Out: a client. Invariant: the TLS provider is installed before a client is built.

use reqwest::{Client, ClientBuilder};

use crate::tls;

/// Builds an HTTP client.
///
/// On a machine without root certificates the build fails. If `accepts_plain` then returns true,
/// the function builds a client that trusts no certificate. This client can only use `http://`.
///
/// * `builder`: returns the settings of the client. `builder` is called again for the fallback.
/// * `accepts_plain`: receives the error of the first attempt.
///
/// # Errors
/// Returns the error of the first attempt if `accepts_plain` returns false, otherwise the error of
/// the fallback.
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
