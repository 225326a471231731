//! Sends a request to Polygon, and retries it until it succeeds or a retry cannot help.
//!
//! In: a URL of the service. Out: the parsed response. Invariants: the API key is sent only to the
//! configured addresses of the service, in a header. The key is never part of a URL, error or log. No
//! minute contains more requests than the plan allows.

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
use super::retry_policy::{RetryPolicy, retry_after};
use super::service::Service;
use crate::config::PolygonConfig;
use crate::http;

/// Maximum size of a response in bytes. A page of 50,000 bars has about 6 MiB.
const MAX_BYTES: usize = 64 << 20;
/// An error quotes at most this number of characters of the server's text.
const QUOTED_CHARS: usize = 200;

/// A client for one service with one API key.
pub(crate) struct Client {
    http: reqwest::Client,
    service: Service,
    key: Secret,
    rate_limiter: RateLimiter,
    retry_policy: RetryPolicy,
    random: RefCell<Random>,
}

/// The reason for a wait, with the length of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The rate limiter of this machine does not permit a request yet.
    OwnLimit(Duration),
    /// The server returned HTTP 429.
    ServerLimit(Duration),
    /// An attempt failed with a transient error.
    Retry(Duration),
}

/// The error of one attempt.
enum AttemptError {
    /// A retry cannot help.
    Final(PolygonError),
    /// The server returned HTTP 429. The value is the wait in the header `Retry-After`, if the
    /// response had one.
    RateLimited(Option<Duration>),
    /// A retry may help. The value is the reason of the failure.
    Transient(String),
    /// The server returned a redirect with this HTTP status: to an address of the service, or to
    /// another server.
    Moved(u16, Result<Url, String>),
}

impl Client {
    /// Creates a client. The client connects when it sends the first request.
    ///
    /// * `seed`: seed for the random lengths of waits.
    ///
    /// # Errors
    /// Returns [`PolygonError::Client`] if the HTTP client cannot be created.
    pub(crate) fn new(
        config: &PolygonConfig,
        rate_limiter: RateLimiter,
        retry_policy: RetryPolicy,
        seed: u64,
    ) -> Result<Self, PolygonError> {
        let service = Service::from_config(config)?;
        let builder = || {
            // A redirect could send the API key to another server. This client follows only those
            // that stay at the service.
            let builder = reqwest::Client::builder().redirect(Policy::none());
            builder.connect_timeout(retry_policy.connect_timeout).timeout(retry_policy.response_timeout)
        };
        // A machine without root certificates can still use a server in its own network over
        // http://.
        let http = http::client(builder, |_| service.base().scheme() == "http");
        let http = http.map_err(|error| PolygonError::Client(root_cause(&error)))?;
        let random = RefCell::new(Random::new(seed, "polygon"));
        Ok(Self { http, service, key: config.api_key.clone(), rate_limiter, retry_policy, random })
    }

    /// Returns the addresses of the service.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// Sends a request, with retries, and parses the response.
    ///
    /// * `parse`: parses the body of a response.
    /// * `on_wait`: receives each wait before it begins.
    ///
    /// # Errors
    /// - The error of an attempt if a retry cannot help.
    /// - [`PolygonError::Redirected`] if the server redirects to another server, or twice.
    /// - [`PolygonError::RetriesExhausted`] if all attempts of the retry policy failed.
    /// - [`PolygonError::RateLimited`] if the server's rate limit requires a longer wait than the
    ///   policy allows.
    /// - [`PolygonError::Cache`] if the file of the rate limiter cannot be used.
    pub(crate) async fn get<T>(
        &self,
        url: &Url,
        parse: impl Fn(&[u8]) -> Result<T, PageError>,
        on_wait: &dyn Fn(Wait),
    ) -> Result<T, PolygonError> {
        let mut url = url.clone();
        let mut is_moved = false;
        let mut n_failed = 0;
        let mut n_limited = 0;
        // Sum of the waits since the last response other than HTTP 429.
        let mut limited = Duration::ZERO;
        loop {
            // Retries take a token as well: the server counts every request.
            self.rate_limiter.take(&|wait| on_wait(Wait::OwnLimit(wait))).await?;
            let wait = match self.attempt(&url).await.and_then(|body| self.parsed(parse(&body))) {
                Ok(value) => return Ok(value),
                Err(AttemptError::Final(error)) => return Err(error),
                Err(AttemptError::Moved(_, Ok(target))) if !is_moved => {
                    url = target;
                    is_moved = true;
                    continue;
                }
                Err(AttemptError::Moved(status, target)) => {
                    // A second redirect is not followed, because the redirects may form a cycle.
                    let found = target.map_or_else(|found| found, |target| target.origin().ascii_serialization());
                    return Err(PolygonError::Redirected { status, found });
                }
                // A response with HTTP 429 does not count as a failed attempt, because the server
                // works. Only the total wait is bounded.
                Err(AttemptError::RateLimited(requested)) => {
                    n_limited += 1;
                    let wait = requested.unwrap_or_else(|| self.backoff(n_limited));
                    if limited.saturating_add(wait) > self.retry_policy.max_rate_limit_wait {
                        return Err(PolygonError::RateLimited { waited_s: limited.as_secs(), more_s: wait.as_secs() });
                    }
                    limited += wait;
                    Wait::ServerLimit(wait)
                }
                Err(AttemptError::Transient(reason)) => {
                    n_failed += 1;
                    n_limited = 0;
                    limited = Duration::ZERO;
                    if n_failed >= self.retry_policy.n_tries {
                        return Err(PolygonError::RetriesExhausted { n_tries: n_failed, last: reason });
                    }
                    tracing::warn!("request to Polygon failed, retrying: {}: {reason}", url.path());
                    Wait::Retry(self.backoff(n_failed))
                }
            };
            on_wait(wait);
            let (Wait::OwnLimit(wait) | Wait::ServerLimit(wait) | Wait::Retry(wait)) = wait;
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
        let target = self.service.redirect_target(&response);
        let body = self.body(response).await;
        if (200..300).contains(&status) {
            return body;
        }
        // The status of an error response is sufficient, so a body that cannot be read is ignored.
        let text = self.quoted(&body.unwrap_or_default());
        Err(match status {
            300..=399 => AttemptError::Moved(status, target),
            403 if is_about_plan(&text) => AttemptError::Final(PolygonError::NotInPlan { text }),
            401 | 403 => AttemptError::Final(PolygonError::KeyRejected { status, text }),
            404 => AttemptError::Final(PolygonError::NotFound { text }),
            429 => AttemptError::RateLimited(requested),
            408 | 425 | 500.. => AttemptError::Transient(format!("HTTP {status}: {text}")),
            _ => AttemptError::Final(PolygonError::Rejected { status, text }),
        })
    }

    /// Reads the body of a response in chunks. The size limit therefore applies to the received
    /// bytes, not to the size that a header states.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, AttemptError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transient(&error))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(AttemptError::Final(PolygonError::TooLarge { limit_mib: MAX_BYTES >> 20 }));
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
        let reason = if error.is_timeout() { "no response in time".to_owned() } else { root_cause(error) };
        AttemptError::Transient(self.quoted(reason.as_bytes()))
    }

    fn backoff(&self, n_failed: u32) -> Duration {
        self.retry_policy.backoff(n_failed, self.random.borrow_mut().unit())
    }

    /// Prepares a text of the server for an error message. The result is one short line. The API
    /// key is removed, because a server may repeat it.
    fn quoted(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).replace(self.key.reveal(), "***");
        let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        plain.take(QUOTED_CHARS).collect::<String>().trim().to_owned()
    }
}

/// Returns whether the text of an HTTP 403 response is about the plan. Polygon also returns this
/// status for an invalid API key.
fn is_about_plan(text: &str) -> bool {
    let text = text.to_lowercase();
    ["not_authorized", "plan", "upgrade"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
pub(super) mod tests;
