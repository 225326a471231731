//! One request to Polygon, repeated until it is answered or nothing is to be hoped for.
//!
//! In: a path of the configured server. Out: what the answer says. Invariants: the key travels in a header to that
//! server only, and stands in no address, error or log; no minute has more requests than the plan allows.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Response, Url};

use super::bucket::Bucket;
use super::page::Unreadable;
use super::patience::{Patience, retry_after};
use super::trouble::Trouble;
use crate::config::PolygonConfig;
use crate::tls;
use oculus_pipeline::metrics::Random;
use oculus_system::error::root_cause;
use oculus_system::secret::Secret;

/// Above any page: 50,000 bars are 6 MiB.
const MOST_BYTES: usize = 64 << 20;
/// Of a text of the server that an error quotes.
const QUOTED_CHARS: usize = 200;

/// A client of one server with one key.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Secret,
    bucket: Bucket,
    patience: Patience,
    random: RefCell<Random>,
}

/// Why a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For its turn within the plan's rate.
    Turn(Duration),
    /// Because the server has asked for it.
    Limited(Duration),
    /// After a failed try.
    Again(Duration),
}

/// What became of one try.
enum Miss {
    /// Nothing to be hoped for.
    Final(Trouble),
    /// The server wants fewer requests.
    Limited(Option<Duration>),
    /// May pass.
    Passing(String),
}

impl Client {
    /// A client that has connected to nothing yet.
    ///
    /// * `seed`: of the waits' random shares.
    ///
    /// # Errors
    /// Where there can be no HTTP client.
    pub(crate) fn new(config: &PolygonConfig, bucket: Bucket, patience: Patience, seed: u64) -> Result<Self, Trouble> {
        tls::install();
        let base = Url::parse(&config.base_url).map_err(|error| Trouble::Client(error.to_string()))?;
        let builder = || {
            let builder = reqwest::Client::builder().redirect(Policy::none());
            builder.connect_timeout(patience.connect).timeout(patience.answer)
        };
        // A machine without root certificates can still speak http:// to a server of its own.
        let plain = |error| if base.scheme() == "http" { builder().tls_certs_only([]).build() } else { Err(error) };
        let http = builder().build().or_else(plain).map_err(|error| Trouble::Client(root_cause(&error)))?;
        let random = RefCell::new(Random::new(seed, "polygon"));
        Ok(Self { http, base, key: config.api_key.clone(), bucket, patience, random })
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Asks, and reads the answer.
    ///
    /// * `read`: makes something of a body.
    /// * `hear`: told of each wait before it.
    ///
    /// # Errors
    /// What no repetition changes, and what has not passed within the client's patience.
    pub(crate) async fn get<T>(
        &self,
        url: &Url,
        read: impl Fn(&[u8]) -> Result<T, Unreadable>,
        hear: &dyn Fn(Wait),
    ) -> Result<T, Trouble> {
        let (mut n_failed, mut n_limited, mut limited) = (0, 0, Duration::ZERO);
        loop {
            self.bucket.take(&|wait| hear(Wait::Turn(wait))).await?;
            let wait = match self.ask(url).await.and_then(|body| self.understood(read(&body))) {
                Ok(answer) => return Ok(answer),
                Err(Miss::Final(trouble)) => return Err(trouble),
                Err(Miss::Limited(asked)) => {
                    n_limited += 1;
                    let wait = asked.unwrap_or_else(|| self.backoff(n_limited));
                    if limited + wait > self.patience.limited {
                        return Err(Trouble::Limited { waited_s: limited.as_secs(), more_s: wait.as_secs() });
                    }
                    limited += wait;
                    Wait::Limited(wait)
                }
                Err(Miss::Passing(reason)) => {
                    n_failed += 1;
                    (n_limited, limited) = (0, Duration::ZERO);
                    if n_failed >= self.patience.n_tries {
                        return Err(Trouble::OutOfTries { n_tries: n_failed, last: reason });
                    }
                    tracing::warn!("{}: {reason}; asking again", url.path());
                    Wait::Again(self.backoff(n_failed))
                }
            };
            hear(wait);
            let (Wait::Turn(wait) | Wait::Limited(wait) | Wait::Again(wait)) = wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// One try.
    async fn ask(&self, url: &Url) -> Result<Vec<u8>, Miss> {
        let sent = self.http.get(url.clone()).bearer_auth(self.key.reveal()).send().await;
        let response = sent.map_err(|error| self.passing(&error))?;
        let status = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|text| retry_after(text, Timestamp::now()));
        let body = self.body(response).await;
        if (200..300).contains(&status) {
            return body;
        }
        // Of an error, its number alone is enough.
        let said = self.said(&body.unwrap_or_default());
        Err(match status {
            300..=399 => Miss::Final(Trouble::Redirected { status }),
            403 if is_about_plan(&said) => Miss::Final(Trouble::Plan { said }),
            401 | 403 => Miss::Final(Trouble::Key { status, said }),
            404 => Miss::Final(Trouble::Absent { said }),
            429 => Miss::Limited(asked),
            408 | 425 | 500.. => Miss::Passing(format!("it answers HTTP {status}: {said}")),
            _ => Miss::Final(Trouble::Refused { status, said }),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Miss> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.passing(&error))? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Miss::Final(Trouble::TooLarge { limit_mib: MOST_BYTES >> 20 }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn understood<T>(&self, read: Result<T, Unreadable>) -> Result<T, Miss> {
        read.map_err(|unreadable| match unreadable {
            Unreadable::Final(trouble) => Miss::Final(trouble),
            Unreadable::Damaged(reason) => Miss::Passing(self.said(reason.as_bytes())),
        })
    }

    fn passing(&self, error: &reqwest::Error) -> Miss {
        let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { root_cause(error) };
        Miss::Passing(self.said(reason.as_bytes()))
    }

    fn backoff(&self, n_failed: u32) -> Duration {
        self.patience.backoff(n_failed, self.random.borrow_mut().unit())
    }

    /// A text of the server as an error may quote it: short, on one line, without the key.
    fn said(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).replace(self.key.reveal(), "***");
        let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        plain.take(QUOTED_CHARS).collect::<String>().trim().to_owned()
    }
}

/// Whether a refusal is about what the plan includes, not about the key.
fn is_about_plan(said: &str) -> bool {
    let said = said.to_lowercase();
    ["not_authorized", "plan", "upgrade"].iter().any(|word| said.contains(word))
}

#[cfg(test)]
pub(super) mod tests;
