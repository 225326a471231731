//! Errors of fetching bars from Polygon, and their conversion to failures of a job.
//!
//! In: an error of the server, the network or the cache. Out: a [`JobError`] with a remedy.
//! Invariant: no error contains the API key.

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;

/// An error that prevents the fetch of bars. Quoted texts of the server are short and do not
/// contain the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolygonError {
    /// The server returned HTTP 401, or 403 for a reason other than the plan.
    #[error("Polygon rejected the API key (HTTP {status}): {text}")]
    KeyRejected {
        /// HTTP status.
        status: u16,
        /// Text of the server.
        text: String,
    },
    /// The server returned HTTP 403 because of the plan.
    #[error("the Polygon plan of the API key does not include these bars: {text}")]
    NotInPlan {
        /// Text of the server.
        text: String,
    },
    /// The server returned HTTP 404.
    #[error("Polygon found nothing at the requested URL (HTTP 404): {text}")]
    NotFound {
        /// Text of the server.
        text: String,
    },
    /// The server returned another status, after which a retry cannot help.
    #[error("Polygon rejected the request (HTTP {status}): {text}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Text of the server.
        text: String,
    },
    /// The server returned a redirect to another server, which must not receive the key, or a second
    /// redirect.
    #[error("Polygon returned a redirect (HTTP {status}) to {found}, which is not followed")]
    Redirected {
        /// HTTP status.
        status: u16,
        /// Scheme, host and port of the target.
        found: String,
    },
    /// The response is larger than any page.
    #[error("Polygon's response is larger than {limit_mib} MiB")]
    TooLarge {
        /// Maximum size of a response in MiB.
        limit_mib: usize,
    },
    /// All attempts failed with transient errors.
    #[error("{n_tries} requests to Polygon failed; the last error: {last}")]
    RetriesExhausted {
        /// Number of attempts.
        n_tries: u32,
        /// Error of the last attempt.
        last: String,
    },
    /// The server returned HTTP 429 for longer than the retry policy waits.
    #[error("Polygon's rate limit still applies after a wait of {waited_s} s and requires another {more_s} s")]
    RateLimited {
        /// Sum of the waits so far, in seconds.
        waited_s: u64,
        /// Length of the next wait, in seconds.
        more_s: u64,
    },
    /// The next page is on another server, which must not receive the key.
    #[error(
        "invalid URL of the next page: found server {found}, to which the API key is not sent, expected one of {expected}"
    )]
    ForeignPage {
        /// Scheme, host and port of the next page.
        found: String,
        /// Scheme, host and port of each name of the service.
        expected: String,
    },
    /// The pages refer to each other in a cycle.
    #[error("page {page} refers to a page that was already fetched")]
    PageCycle {
        /// Number of the page, from 1.
        page: usize,
    },
    /// Two bars with the same time have different values.
    #[error("{place} contains two different bars for {when}")]
    Conflict {
        /// Origin of the bars.
        place: String,
        /// Time of the bars.
        when: String,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Cache {
        /// File or folder of the cache.
        path: PathBuf,
        /// The file system's error.
        source: io::Error,
    },
    /// The HTTP client cannot be created.
    #[error("the HTTP client cannot be created: {0}")]
    Client(String),
}

/// Returns a function that adds the path to an error of the file system.
pub(super) fn cache_error(path: &Path) -> impl FnOnce(io::Error) -> PolygonError {
    let path = path.to_owned();
    move |source| PolygonError::Cache { path, source }
}

impl PolygonError {
    /// Converts the error to the failure of a job.
    ///
    /// * `subject`: beginning of the message, such as the symbol.
    pub(crate) fn failure(&self, subject: &str) -> JobError {
        let message = format!("{subject}: {self}");
        let failed = |code, hint: &str| JobError::failed(Phase::DataFetch, code, message.clone(), hint);
        let retry_hint = "Polygon or the network failed: push the job again later; pages that were fetched are cached";
        match self {
            Self::KeyRejected { .. } => failed(ErrorCode::BarsDenied, "check POLYGON_API_KEY"),
            Self::NotInPlan { .. } => {
                let hint = "request fewer `years` or a longer timeframe, or upgrade to a larger plan at Polygon";
                JobError::refused(Phase::DataFetch, ErrorCode::HistoryNotInPlan, message, hint)
            }
            Self::NotFound { .. } | Self::Rejected { .. } => {
                failed(ErrorCode::BarsDenied, "check POLYGON_BASE_URL and the symbol")
            }
            Self::Redirected { .. } | Self::ForeignPage { .. } => failed(
                ErrorCode::ForeignPage,
                "if the other server belongs to Polygon, set POLYGON_BASE_URL to its address, or add it to POLYGON_ALIAS_URLS",
            ),
            Self::PageCycle { .. } => failed(ErrorCode::EndlessPages, retry_hint),
            Self::Conflict { .. } => failed(
                ErrorCode::ConflictingBars,
                "push the job again; if it fails again, run `oculus-host bars fetch --refresh` for the symbol",
            ),
            Self::TooLarge { .. } | Self::RetriesExhausted { .. } => {
                failed(ErrorCode::UnreadableBars, retry_hint).retryable()
            }
            Self::RateLimited { .. } => {
                let hint = "set POLYGON_REQUESTS_PER_MINUTE to the limit of the key's plan; pages that were fetched are cached";
                failed(ErrorCode::UnreadableBars, hint).retryable()
            }
            Self::Cache { .. } => {
                let hint = "free disk space for BARS_CACHE_DIR, and let this user write to it";
                failed(ErrorCode::UnreadableBars, hint).retryable()
            }
            Self::Client(_) => failed(ErrorCode::UnreadableBars, "install the system's root certificates"),
        }
    }
}
