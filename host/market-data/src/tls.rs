//! Installs the TLS provider of this process: ring, for all HTTP and Redis connections.
//!
//! In: nothing. Out: an installed provider. Invariant: a process has at most one provider.

/// Installs ring as the default TLS provider of this process. A second call has no effect.
///
/// Call it before the first client is built: `reqwest` and `redis` are compiled without a TLS
/// provider.
pub fn install() {
    // The only possible error is that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
