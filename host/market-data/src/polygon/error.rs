//! Why bars cannot be fetched, and what to do about it.
//!
//! In: an error of the server, the network or the cache. Out: a [`Failure`] of the job.
//! Invariant: no error contains the key.

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;

/// Why bars cannot be fetched. Quoted texts of the server are short and without the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolygonError {
    /// HTTP 401, or 403 for another reason than the plan.
    #[error("Polygon does not accept the key (HTTP {status}): {text}")]
    Key {
        /// HTTP status.
        status: u16,
        /// Text of the server.
        text: String,
    },
    /// HTTP 403 because of the plan.
    #[error("the plan of the Polygon key does not include these bars: {text}")]
    Plan {
        /// Text of the server.
        text: String,
    },
    /// HTTP 404.
    #[error("Polygon has nothing at the address asked (HTTP 404): {text}")]
    Absent {
        /// Text of the server.
        text: String,
    },
    /// Any other answer that a retry does not change.
    #[error("Polygon refuses the request (HTTP {status}): {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Text of the server.
        text: String,
    },
    /// A redirect, which is not followed: it would send the key along.
    #[error("Polygon answers with a redirect (HTTP {status}), which is not followed")]
    Redirected {
        /// HTTP status.
        status: u16,
    },
    /// An answer that is larger than any page.
    #[error("Polygon's answer is over {limit_mib} MiB")]
    TooLarge {
        /// The most that is read, in MiB.
        limit_mib: usize,
    },
    /// All attempts failed with faults that may pass.
    #[error("Polygon cannot be read: {n_tries} tries failed, the last because {last}")]
    OutOfTries {
        /// Number of attempts.
        n_tries: u32,
        /// Reason of the last failure.
        last: String,
    },
    /// HTTP 429 in too many consecutive answers.
    #[error("Polygon's rate limit still holds after {waited_s} s of waiting, and asks for {more_s} s more")]
    Limited {
        /// Seconds waited so far.
        waited_s: u64,
        /// Seconds of the next wait.
        more_s: u64,
    },
    /// The next page is on another server, which must not receive the key.
    #[error(
        "the next page is said to be at {found}, needed {needed}, the address that is configured; the key was not sent there"
    )]
    ForeignPage {
        /// Scheme, host and port of the page.
        found: String,
        /// Scheme, host and port of the configuration.
        needed: String,
    },
    /// The pages refer to each other in a circle.
    #[error("page {page} says that the next page is one that was fetched before")]
    Loop {
        /// Number of the page, from 1.
        page: usize,
    },
    /// Two bars of one time have different values.
    #[error("{place} holds two different bars of {when}")]
    Conflict {
        /// Where they were found.
        place: String,
        /// Time of the bars.
        when: String,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Cache {
        /// File or folder.
        path: PathBuf,
        /// The file system's error.
        source: io::Error,
    },
    /// The HTTP client cannot be created.
    #[error("there can be no HTTP client: {0}")]
    Client(String),
}

/// Adds the path to an error of the file system.
pub(super) fn cache_error(path: &Path) -> impl FnOnce(io::Error) -> PolygonError {
    let path = path.to_owned();
    move |source| PolygonError::Cache { path, source }
}

impl PolygonError {
    /// Returns the failure of a job.
    ///
    /// * `about`: what was read, such as a symbol.
    pub(crate) fn failure(&self, about: &str) -> Failure {
        let message = format!("{about}: {self}");
        let failed = |code, hint: &str| Failure::failed(Phase::DataFetch, code, message.clone(), hint);
        let again = "Polygon or the network has a fault: try again later; pages that were fetched are kept";
        match self {
            Self::Key { .. } => failed(ErrorCode::BarsDenied, "check POLYGON_API_KEY"),
            Self::Plan { .. } => {
                let hint = "ask for fewer `years` or a longer timeframe, or take a larger plan at Polygon";
                Failure::refused(Phase::DataFetch, ErrorCode::HistoryNotInPlan, message, hint)
            }
            Self::Absent { .. } | Self::Refused { .. } => {
                failed(ErrorCode::BarsDenied, "check POLYGON_BASE_URL and the symbol")
            }
            Self::Redirected { .. } | Self::ForeignPage { .. } => failed(
                ErrorCode::ForeignPage,
                "set POLYGON_BASE_URL to the address that serves the pages itself, if you trust it with the key",
            ),
            Self::Loop { .. } => failed(ErrorCode::EndlessPages, again),
            Self::Conflict { .. } => failed(ErrorCode::ConflictingBars, again),
            Self::TooLarge { .. } | Self::OutOfTries { .. } => failed(ErrorCode::UnreadableBars, again).retryable(),
            Self::Limited { .. } => {
                let hint = "set POLYGON_REQUESTS_PER_MINUTE to what the key's plan allows; pages fetched are kept";
                failed(ErrorCode::UnreadableBars, hint).retryable()
            }
            Self::Cache { .. } => {
                let hint = "make room in BARS_CACHE_DIR and let this user write there";
                failed(ErrorCode::UnreadableBars, hint).retryable()
            }
            Self::Client(_) => failed(ErrorCode::UnreadableBars, "install the system's root certificates"),
        }
    }
}
