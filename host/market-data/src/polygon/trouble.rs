//! What stands between a job and its bars, and what to do about it.

use oculus_job::code::ErrorCode;
use std::path::{Path, PathBuf};

use oculus_job::failure::Failure;
use oculus_job::progress::Phase;

/// Why bars cannot be had. Texts of the server in it are short and hold no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// 401, or 403 for another reason than the plan.
    #[error("Polygon does not accept the key (HTTP {status}): {said}")]
    Key {
        /// HTTP status.
        status: u16,
        /// The server's words.
        said: String,
    },
    /// 403 because of the plan.
    #[error("the plan of the Polygon key does not include these bars: {said}")]
    Plan {
        /// The server's words.
        said: String,
    },
    /// 404.
    #[error("Polygon has nothing at the address asked (HTTP 404): {said}")]
    Absent {
        /// The server's words.
        said: String,
    },
    /// Any other answer that no repetition changes.
    #[error("Polygon refuses the request (HTTP {status}): {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words.
        said: String,
    },
    /// Not followed: the key would go along.
    #[error("Polygon answers with a redirect (HTTP {status}), which is not followed")]
    Redirected {
        /// HTTP status.
        status: u16,
    },
    /// Larger than any page.
    #[error("Polygon's answer is over {limit_mib} MiB")]
    TooLarge {
        /// The most that is read.
        limit_mib: usize,
    },
    /// What passes did not.
    #[error("Polygon cannot be read: {n_tries} tries failed, the last because {last}")]
    OutOfTries {
        /// How many.
        n_tries: u32,
        /// The last reason.
        last: String,
    },
    /// Answers 429 in a row.
    #[error("Polygon's rate limit still holds after {waited_s} s of waiting, and asks for {more_s} s more")]
    Limited {
        /// Waited so far.
        waited_s: u64,
        /// What would be waited next.
        more_s: u64,
    },
    /// The key would go to another server.
    #[error(
        "the next page is said to be at {found}, needed {needed}, the address that is configured; the key was not sent there"
    )]
    ForeignPage {
        /// Scheme, host and port found.
        found: String,
        /// Those of the configuration.
        needed: String,
    },
    /// The pages would never end.
    #[error("page {page} says that the next page is one that was fetched before")]
    Loop {
        /// Its number, from 1.
        page: usize,
    },
    /// Two values of one bar.
    #[error("{place} holds two different bars of {when}")]
    Conflict {
        /// Where.
        place: String,
        /// Which bar.
        when: String,
    },
    /// The machine's own fault.
    #[error("{}: {source}", path.display())]
    Cache {
        /// File or folder.
        path: PathBuf,
        /// The file system's reason.
        source: std::io::Error,
    },
    /// No client.
    #[error("there can be no HTTP client: {0}")]
    Client(String),
}

/// Adds the path to an error of the file system.
pub(super) fn cache(path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
    let path = path.to_owned();
    move |source| Trouble::Cache { path, source }
}

impl Trouble {
    /// In the words of a result.
    ///
    /// * `about`: what was read: a symbol, as a rule.
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
            Self::Loop { .. } => failed(ErrorCode::EndlessPages, again).retryable(),
            Self::Conflict { .. } => failed(ErrorCode::ConflictingBars, again).retryable(),
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
