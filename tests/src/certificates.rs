//! Certificates for tests, which the program `openssl` creates.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A certificate authority, and the certificates that it has signed.
pub struct Certificates {
    folder: TempDir,
}

/// The validity of a certificate.
#[derive(Clone, Copy)]
pub enum Validity {
    /// From now on for two days.
    Valid,
    /// One day in the past.
    Expired,
}

impl Certificates {
    /// Creates an authority, and a certificate `server` for `localhost` and 127.0.0.1.
    ///
    /// # Panics
    /// Panics if openssl is not installed.
    pub fn new() -> Self {
        let certificates = Self { folder: tempfile::tempdir().unwrap() };
        let new = ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=test authority"];
        certificates.openssl(&[&new[..], &KEY, &["-keyout", "ca.key", "-out", "ca.pem"]].concat());
        certificates.sign("server", "DNS:localhost,IP:127.0.0.1", Validity::Valid);
        certificates
    }

    /// Creates the certificate `NAME.pem` with the key `NAME.key`.
    ///
    /// * `names`: the subject alternative names, such as `DNS:localhost`.
    pub fn sign(&self, name: &str, names: &str, validity: Validity) {
        let key = format!("{name}.key");
        let request = ["req", "-nodes", "-subj", "/CN=test", "-keyout", &key, "-out", "request.pem"];
        self.openssl(&[&request[..], &KEY].concat());
        std::fs::write(self.path("extensions"), format!("subjectAltName={names}\n")).unwrap();
        let dates: &[&str] = match validity {
            Validity::Valid => &["-days", "2"],
            Validity::Expired => &["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"],
        };
        let out = format!("{name}.pem");
        let sign = ["ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];
        let files = ["-in", "request.pem", "-out", &out, "-extfile", "extensions", "-outdir", "."];
        let rest = ["-md", "sha256"];
        // `openssl ca` keeps a list of its certificates, in which each subject is unique.
        std::fs::write(self.path("index.txt"), "").unwrap();
        let config = "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nrand_serial=yes\npolicy=any\n[any]\ncommonName=supplied\n";
        std::fs::write(self.path("ca.cnf"), config).unwrap();
        self.openssl(&[&sign[..], &files, &rest, dates].concat());
    }

    /// Returns the path of a file.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Returns the path of a file as text.
    pub fn file(&self, file: &str) -> String {
        self.path(file).to_str().unwrap().to_owned()
    }

    /// Returns the options of a redis-server with the certificate `name` and a TLS port.
    pub fn server_options(&self, name: &str, port: u16) -> Vec<String> {
        let [certificate, key, ca] = [format!("{name}.pem"), format!("{name}.key"), "ca.pem".to_owned()];
        [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", self.file(&certificate)),
            ("--tls-key-file", self.file(&key)),
            ("--tls-ca-cert-file", self.file(&ca)),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl is missing: install the package `openssl`");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

/// The options of a new key. Elliptic curves are faster than RSA.
const KEY: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
