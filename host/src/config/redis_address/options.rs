//! The options in the query of a Redis URL. Their names are those of redis-py, Celery and the redis
//! crate.
//!
//! In: a name. Out: its meaning here, or the reason why it is rejected. Invariant: no option is
//! ignored silently.

/// An option that has a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlOption {
    /// The number of the database.
    Db,
    /// The user of the server.
    Username,
    /// The password of the server.
    Password,
    /// The user of the sentinels.
    SentinelUsername,
    /// The password of the sentinels.
    SentinelPassword,
    /// The name of the group of servers in the configuration of the sentinels.
    MasterName,
    /// The version of the protocol.
    Protocol,
    /// Whether the certificate of the server is verified.
    CertReqs,
    /// Whether the host name in the certificate is verified.
    CheckHostname,
    /// The file of the certificate authorities.
    CaCerts,
    /// The file of the client certificate.
    CertFile,
    /// The file of the private key of the client certificate.
    KeyFile,
    /// The time limit for a response.
    SocketTimeout,
    /// The time limit for opening a connection.
    ConnectTimeout,
}

/// The meaning of a known option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The option is used.
    Used(UrlOption),
    /// The option is rejected, with the reason and the remedy.
    Rejected(&'static str),
}

use Meaning::{Rejected, Used};

const POLLED: &str = "the worker polls Redis every few seconds and replaces a connection that does not respond";
const ONE_CONNECTION: &str = "the worker has a fixed number of connections";
const RETRIES: &str = "the worker retries every step until Redis responds";
const BYTES: &str = "the worker reads and writes bytes and UTF-8";
const CELERY: &str = "it is an option of Celery's transport, which the worker does not use";
const TLS_CHOICES: &str = "the worker uses TLS 1.2 or 1.3 with the ciphers of rustls";

/// All known options by name.
pub(super) const OPTIONS: &[(&str, Meaning)] = &[
    ("db", Used(UrlOption::Db)),
    ("virtual_host", Used(UrlOption::Db)),
    ("username", Used(UrlOption::Username)),
    ("user", Used(UrlOption::Username)),
    ("password", Used(UrlOption::Password)),
    ("pass", Used(UrlOption::Password)),
    ("sentinel_username", Used(UrlOption::SentinelUsername)),
    ("sentinel_password", Used(UrlOption::SentinelPassword)),
    ("master_name", Used(UrlOption::MasterName)),
    ("protocol", Used(UrlOption::Protocol)),
    ("ssl_cert_reqs", Used(UrlOption::CertReqs)),
    ("ssl_check_hostname", Used(UrlOption::CheckHostname)),
    ("ssl_ca_certs", Used(UrlOption::CaCerts)),
    ("ssl_certfile", Used(UrlOption::CertFile)),
    ("ssl_keyfile", Used(UrlOption::KeyFile)),
    ("socket_timeout", Used(UrlOption::SocketTimeout)),
    ("socket_connect_timeout", Used(UrlOption::ConnectTimeout)),
    ("timeout", Rejected("write `socket_timeout` for the limit of a response")),
    ("health_check_interval", Rejected(POLLED)),
    ("socket_keepalive", Rejected(POLLED)),
    ("socket_keepalive_options", Rejected(POLLED)),
    ("socket_read_size", Rejected(BYTES)),
    ("max_connections", Rejected(ONE_CONNECTION)),
    ("client_name", Rejected("the worker does not name its connections")),
    ("lib_name", Rejected("the worker does not name its library")),
    ("lib_version", Rejected("the worker does not name its library")),
    ("retry", Rejected(RETRIES)),
    ("retry_on_timeout", Rejected(RETRIES)),
    ("retry_on_error", Rejected(RETRIES)),
    ("single_connection_client", Rejected(ONE_CONNECTION)),
    ("encoding", Rejected(BYTES)),
    ("encoding_errors", Rejected(BYTES)),
    ("decode_responses", Rejected(BYTES)),
    ("ssl", Rejected("the scheme `rediss://` selects TLS")),
    ("ssl_ca_path", Rejected("write `ssl_ca_certs` with one file of all certificate authorities")),
    ("ssl_ca_data", Rejected("write `ssl_ca_certs` with a file")),
    ("ssl_password", Rejected("the private key must not be encrypted; protect its file by access rights")),
    ("ssl_ciphers", Rejected(TLS_CHOICES)),
    ("ssl_min_version", Rejected(TLS_CHOICES)),
    ("ssl_validate_ocsp", Rejected("the worker does not check revocations")),
    ("ssl_validate_ocsp_stapled", Rejected("the worker does not check revocations")),
    ("visibility_timeout", Rejected("LEASE_SECONDS is the lease of a job")),
    ("global_keyprefix", Rejected("JOB_QUEUE, JOB_KEY_PREFIX and RESULT_KEY_PREFIX set the names of keys")),
    ("queue_order_strategy", Rejected(CELERY)),
    ("fanout_prefix", Rejected(CELERY)),
    ("fanout_patterns", Rejected(CELERY)),
    ("priority_steps", Rejected(CELERY)),
    ("sep", Rejected(CELERY)),
    ("service_name", Rejected("write `master_name`, or the name as the path: redis+sentinel://HOST:PORT/NAME")),
    ("sentinel_kwargs", Rejected("set REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD")),
];

/// Returns the known option that an unknown name probably stands for.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&name, known);
    OPTIONS
        .iter()
        .map(|(known, _)| *known)
        // Short names would be near to almost everything.
        .filter(|known| distance(known) <= if known.len() > 4 { 2 } else { 1 })
        .min_by_key(|known| distance(known))
}
