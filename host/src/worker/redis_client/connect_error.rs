//! The error of an attempt to connect.

use std::fmt;

use redis::RedisError;

/// The reason why no connection could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// The party that has to act.
    pub kind: ConnectErrorKind,
    /// The cause.
    pub cause: String,
    /// The remedy, if a setting has to change.
    pub remedy: Option<String>,
}

/// The party that has to act before a connection can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectErrorKind {
    /// The server may become available without a change of settings.
    Unavailable,
    /// An operator, who changes a setting of the server or of this worker.
    Rejected,
    /// An operator of this worker: the server can never run its scripts.
    Unusable,
}

impl ConnectError {
    /// Returns the error of a server that may become available by itself.
    pub(super) fn unavailable(cause: impl Into<String>) -> Self {
        Self { kind: ConnectErrorKind::Unavailable, cause: cause.into(), remedy: None }
    }

    /// Returns the error of a setting that has to change.
    pub(super) fn rejected(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: ConnectErrorKind::Rejected, cause: cause.into(), remedy: Some(remedy.into()) }
    }

    /// Returns the error of a server that can never run the scripts of the queue.
    pub(super) fn unusable(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: ConnectErrorKind::Unusable, cause: cause.into(), remedy: Some(remedy.into()) }
    }

    /// Returns the error of a server in cluster mode.
    pub(super) fn cluster() -> Self {
        Self::unusable(
            "the server is in cluster mode, which cannot run scripts on the keys of a queue and of its jobs in one step",
            "use a server with `cluster-enabled no`; for fail-over, use sentinels (redis+sentinel://)",
        )
    }

    /// Returns whether the server can never be used.
    pub fn is_unusable(&self) -> bool {
        self.kind == ConnectErrorKind::Unusable
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

impl std::error::Error for ConnectError {}

/// Converts the error for callers that only decide whether to retry.
impl From<ConnectError> for RedisError {
    fn from(error: ConnectError) -> Self {
        std::io::Error::other(error).into()
    }
}
