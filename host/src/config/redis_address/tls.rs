//! The TLS settings of connections to Redis.

use std::io;
use std::path::{Path, PathBuf};

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The TLS settings of connections to Redis and to its sentinels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The file of trusted certificate authorities; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate of this client, if the server requests one.
    pub client: Option<ClientCertificate>,
    /// The checks of the server's certificate.
    pub verification: Verification,
}

/// The files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its intermediates, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// The checks of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// The certificate authority, the validity and the host name.
    #[default]
    Full,
    /// The certificate authority and the validity.
    WithoutHostname,
    /// No check.
    Disabled,
}

impl RedisTls {
    /// Reads the files. They are read for each connection, so that renewed certificates are used
    /// without a restart.
    ///
    /// # Errors
    /// Returns [`io::Error`] with the path of the file that cannot be read or contains no
    /// certificate.
    pub(super) fn read(&self) -> io::Result<TlsCertificates> {
        let root_cert = self.ca.as_deref().map(read_certificates).transpose()?;
        let client_tls = match &self.client {
            Some(client) => Some(ClientTlsConfig {
                client_cert: read_certificates(&client.certificate)?,
                client_key: read(&client.key)?,
            }),
            None => None,
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())))
}

/// Reads a file of at least one certificate.
fn read_certificates(path: &Path) -> io::Result<Vec<u8>> {
    let pem = read(path)?;
    // The redis crate accepts a file without certificates, and would then trust no server.
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(io::Error::other(format!("{} contains no certificate in PEM format", path.display()))),
    }
}
