//! The TLS provider of this process: ring, for the bars' requests and for the host's own connections.
//!
//! In: nothing. Out: an installed provider. Invariant: a process has at most one provider.

/// Makes ring the default provider of TLS in this process. A second call changes nothing.
///
/// Call it before the first client is built: `reqwest` and `redis` are compiled without a provider of their own.
pub fn install() {
    // The only error is that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
