//! One request to Polygon, repeated until it is answered or a retry cannot help.
//!
//! In: a URL of the configured server. Out: the parsed answer. Invariants: the key is sent in a
//! header to that server only, and is in no URL, error or log; no minute has more requests than the
//! plan allows.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use oculus_pipeline::metrics::Random;
use oculus_system::error::root_cause;
use oculus_system::secret::Secret;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Response, Url};

use super::error::PolygonError;
use super::page::PageError;
use super::rate_limit::RateLimiter;
use super::retry::{RetryPolicy, retry_after};
use crate::config::PolygonConfig;
use crate::http;

/// The most bytes of an answer, more than any page has: 50,000 bars are 6 MiB.
const MOST_BYTES: usize = 64 << 20;
/// Characters of a server's text that an error quotes.
const QUOTED_CHARS: usize = 200;

/// A client of one server with one key.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Secret,
    rate_limiter: RateLimiter,
    retry_policy: RetryPolicy,
    random: RefCell<Random>,
}

/// Why a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The plan's rate does not admit a request yet.
    Turn(Duration),
    /// The server's rate limit requires it.
    Limited(Duration),
    /// An attempt failed.
    Again(Duration),
}

/// Why one attempt failed.
enum AttemptError {
    /// A retry cannot help.
    Final(PolygonError),
    /// The server limits the rate; it may state how long to wait.
    Limited(Option<Duration>),
    /// A retry may help.
    Transient(String),
}

impl Client {
    /// Creates a client without a connection.
    ///
    /// * `seed`: seed of the random shares of the waits.
    ///
    /// # Errors
    /// [`PolygonError::Client`] if the HTTP client cannot be created.
    pub(crate) fn new(
        config: &PolygonConfig,
        rate_limiter: RateLimiter,
        retry_policy: RetryPolicy,
        seed: u64,
    ) -> Result<Self, PolygonError> {
        let base = Url::parse(&config.base_url).map_err(|error| PolygonError::Client(error.to_string()))?;
        let builder = || {
            let builder = reqwest::Client::builder().redirect(Policy::none());
            builder.connect_timeout(retry_policy.connect).timeout(retry_policy.answer)
        };
        // A machine without root certificates can still reach a server of its own through http://.
        let http = http::client(builder, |_| base.scheme() == "http");
        let http = http.map_err(|error| PolygonError::Client(root_cause(&error)))?;
        let random = RefCell::new(Random::new(seed, "polygon"));
        Ok(Self { http, base, key: config.api_key.clone(), rate_limiter, retry_policy, random })
    }

    /// Returns the server's base URL.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request, and parses the answer.
    ///
    /// * `parse`: parses the body of an answer.
    /// * `on_wait`: receives each wait before it begins.
    ///
    /// # Errors
    /// An error that a retry does not change, and one that remains after the attempts of the retry
    /// policy.
    pub(crate) async fn get<T>(
        &self,
        url: &Url,
        parse: impl Fn(&[u8]) -> Result<T, PageError>,
        on_wait: &dyn Fn(Wait),
    ) -> Result<T, PolygonError> {
        let mut n_failed = 0;
        let mut n_limited = 0;
        let mut limited = Duration::ZERO;
        loop {
            self.rate_limiter.take(&|wait| on_wait(Wait::Turn(wait))).await?;
            let wait = match self.attempt(url).await.and_then(|body| self.parsed(parse(&body))) {
                Ok(answer) => return Ok(answer),
                Err(AttemptError::Final(error)) => return Err(error),
                Err(AttemptError::Limited(requested)) => {
                    n_limited += 1;
                    let wait = requested.unwrap_or_else(|| self.backoff(n_limited));
                    if limited.saturating_add(wait) > self.retry_policy.limited {
                        return Err(PolygonError::Limited { waited_s: limited.as_secs(), more_s: wait.as_secs() });
                    }
                    limited += wait;
                    Wait::Limited(wait)
                }
                Err(AttemptError::Transient(reason)) => {
                    n_failed += 1;
                    n_limited = 0;
                    limited = Duration::ZERO;
                    if n_failed >= self.retry_policy.n_tries {
                        return Err(PolygonError::OutOfTries { n_tries: n_failed, last: reason });
                    }
                    tracing::warn!("{}: {reason}; retrying", url.path());
                    Wait::Again(self.backoff(n_failed))
                }
            };
            on_wait(wait);
            let (Wait::Turn(wait) | Wait::Limited(wait) | Wait::Again(wait)) = wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once.
    async fn attempt(&self, url: &Url) -> Result<Vec<u8>, AttemptError> {
        let sent = self.http.get(url.clone()).bearer_auth(self.key.reveal()).send().await;
        let response = sent.map_err(|error| self.transient(&error))?;
        let status = response.status().as_u16();
        let requested = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let requested = requested.and_then(|text| retry_after(text, Timestamp::now()));
        let body = self.body(response).await;
        if (200..300).contains(&status) {
            return body;
        }
        // The status of an error is enough, so a body that cannot be read is ignored.
        let text = self.quoted(&body.unwrap_or_default());
        Err(match status {
            300..=399 => AttemptError::Final(PolygonError::Redirected { status }),
            403 if is_about_plan(&text) => AttemptError::Final(PolygonError::Plan { text }),
            401 | 403 => AttemptError::Final(PolygonError::Key { status, text }),
            404 => AttemptError::Final(PolygonError::Absent { text }),
            429 => AttemptError::Limited(requested),
            408 | 425 | 500.. => AttemptError::Transient(format!("it answers HTTP {status}: {text}")),
            _ => AttemptError::Final(PolygonError::Refused { status, text }),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, AttemptError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transient(&error))? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(AttemptError::Final(PolygonError::TooLarge { limit_mib: MOST_BYTES >> 20 }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn parsed<T>(&self, parsed: Result<T, PageError>) -> Result<T, AttemptError> {
        parsed.map_err(|error| match error {
            PageError::Final(error) => AttemptError::Final(error),
            PageError::Damaged(damage) => AttemptError::Transient(self.quoted(damage.to_string().as_bytes())),
        })
    }

    fn transient(&self, error: &reqwest::Error) -> AttemptError {
        let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { root_cause(error) };
        AttemptError::Transient(self.quoted(reason.as_bytes()))
    }

    fn backoff(&self, n_failed: u32) -> Duration {
        self.retry_policy.backoff(n_failed, self.random.borrow_mut().unit())
    }

    /// Returns a text of the server in the form that an error may quote: short, on one line,
    /// without the key.
    fn quoted(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).replace(self.key.reveal(), "***");
        let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        plain.take(QUOTED_CHARS).collect::<String>().trim().to_owned()
    }
}

/// Returns whether Polygon's text of a refusal is about the plan, not about the key.
fn is_about_plan(text: &str) -> bool {
    let text = text.to_lowercase();
    ["not_authorized", "plan", "upgrade"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
pub(super) mod tests;
