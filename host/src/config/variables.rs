//! The table of all variables: name, default, allowed values, and whether the value is a secret.
//!
//! The checks and the error messages use this table. So does the test that keeps
//! `docs/configuration.md` and `.env.example` complete.

/// A variable of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variable {
    /// The name of the variable in the environment and in files.
    pub name: &'static str,
    /// The default of the variable as text; empty if there is none.
    pub default: &'static str,
    /// The allowed values, as the words after "expected" in an error message.
    pub allowed: &'static str,
    /// True if the value is a secret, which no message may contain.
    pub secret: bool,
}

/// Returns a variable whose value may be shown.
const fn plain(name: &'static str, default: &'static str, allowed: &'static str) -> Variable {
    Variable { name, default, allowed, secret: false }
}

/// Returns a variable whose value is a secret.
const fn secret(name: &'static str, allowed: &'static str) -> Variable {
    Variable { name, default: "", allowed, secret: true }
}

/// All variables, in the order of the documentation.
pub(super) const VARIABLES: &[Variable] = &[
    plain(
        "REDIS_URL",
        "",
        "a URL such as redis://localhost:6379/0, rediss://… (TLS), unix:///path/to.sock or \
         redis+sentinel://HOST:PORT,HOST:PORT/NAME",
    ),
    plain(
        "REDIS_HOST",
        "localhost",
        "a host name or an IP address; REDIS_USERNAME and REDIS_PASSWORD are separate, and a URL belongs in REDIS_URL",
    ),
    plain("REDIS_PORT", "6379", "a whole number from 1 to 65535"),
    plain("REDIS_DB", "0", "a whole number from 0 to 65535"),
    plain("REDIS_USERNAME", "", "a user name"),
    secret("REDIS_PASSWORD", "a password"),
    plain("REDIS_SENTINEL_USERNAME", "", "a user name"),
    secret("REDIS_SENTINEL_PASSWORD", "a password"),
    plain("REDIS_TLS_CA", "", "a file of certificates in PEM format"),
    plain("REDIS_TLS_CERT", "", "a file of a certificate in PEM format"),
    plain("REDIS_TLS_KEY", "", "a file of a private key in PEM format"),
    plain("REDIS_TLS_VERIFY", "full", "`full`, `authority` (any host name) or `none`"),
    plain("REDIS_WAIT_REPLICAS", "0", "a whole number from 0 to 100"),
    plain("JOB_QUEUE", "oculus:training_queue", "one or more comma-separated names of lists, each only once"),
    plain("JOB_QUEUE_END", "right", "`right` (for producers that LPUSH) or `left` (for RPUSH)"),
    plain("JOB_KEY_PREFIX", "job", "a non-empty prefix of keys"),
    plain("RESULT_KEY_PREFIX", "result", "a non-empty prefix of keys"),
    plain("RESULT_TTL_SECONDS", "0", "a whole number of seconds up to 315360000; 0 keeps results forever"),
    plain("LEASE_SECONDS", "30", "a whole number of seconds from 2 to 86400"),
    plain("MAX_CRASHES", "3", "a whole number from 1 to 1000"),
    plain("WORKER_CONCURRENCY", "2", "a whole number from 1 to 1024"),
    plain("JOB_TIMEOUT_SECONDS", "3600", "a whole number of seconds from 1 to 31536000"),
    plain("DRAIN_SECONDS", "0", "a whole number of seconds up to 31536000; 0 means no limit"),
    plain("GPU_ENABLED", "true", "`true` or `false`"),
    plain("HOLD_OFF_SLEEP", "true", "`true` or `false`"),
    plain("PLUGINS_DIR", "./plugins", "a folder"),
    plain("PLUGINS_STATE_DIR", "", "a folder"),
    plain("PLUGINS_TRUST", "any", "`any`, or `listed` (only libraries whose SHA-256 PLUGINS_TRUSTED lists)"),
    plain("PLUGINS_TRUSTED", "", "a file with one SHA-256 per line, as sha256sum writes it"),
    plain(
        "PLUGIN_MEMORY_MB",
        "0",
        "a whole number of MiB up to 1000000000; 0 means four fifths of the machine's memory",
    ),
    plain("PLUGIN_SILENCE_SECONDS", "900", "a whole number of seconds from 1 to 31536000"),
    plain("BARS_SOURCE", "", "`dir:PATH` (a folder with SYMBOL.csv or SYMBOL.parquet files) or `polygon`"),
    secret("POLYGON_API_KEY", "an API key of visible ASCII characters"),
    plain("POLYGON_BASE_URL", "https://api.polygon.io", "a URL that starts with http:// or https://"),
    plain(
        "POLYGON_ALIAS_URLS",
        "https://api.polygon.io,https://api.massive.com",
        "comma-separated URLs that start with http:// or https://",
    ),
    plain("POLYGON_REQUESTS_PER_MINUTE", "5", "a whole number from 0 to 1000000; 0 means no limit"),
    plain("BARS_CACHE_DIR", "", "a folder"),
    plain("ARTIFACTS_DIR", "", "a folder"),
    plain("BACKEND_URL", "http://localhost:8000", "a URL that starts with http:// or https://"),
    plain("BACKEND_REGISTER_PATH", "/api/workers/register", "a path that starts with /"),
    plain("BACKEND_HEARTBEAT_PATH", "/api/workers/{worker_id}/heartbeat", "a path that starts with /"),
    secret("BACKEND_TOKEN", "a bearer token of visible ASCII characters"),
    plain("HEARTBEAT_SECONDS", "30", "a whole number of seconds from 1 to 86400"),
    plain("LOG_LEVEL", "INFO", "`TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`"),
    plain("LOG_FORMAT", "text", "`text` or `json`"),
];

/// Returns the variable with this name, if there is one.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
