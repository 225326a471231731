//! The HTTP client of the platform's backend: registrations and heartbeats.
//!
//! In: [`Registration`]s and [`Heartbeat`]s. Out: a [`BackendState`] per request. Invariant: an
//! outage of the backend is logged once, and no log line contains the password in the backend's
//! URL.

use std::time::Duration;

use anyhow::Context;
use oculus_market_data::http;
use oculus_system::error::root_cause;
use oculus_system::secret::without_password;
use reqwest::StatusCode;
use serde::Serialize;

use super::outage::Outage;
use super::registration::Registration;
use super::status::Heartbeat;
use crate::config::BackendConfig;

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The state of the backend, according to its response or the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackendState {
    /// This worker is registered.
    Registered,
    /// This worker is not registered, for example because the backend has restarted.
    Unregistered,
    /// The backend does not respond, or it responds with an error. The reason is logged.
    Unavailable,
}

/// The client of the backend.
pub(super) struct Backend {
    http: reqwest::Client,
    config: BackendConfig,
    outage: Outage,
}

impl Backend {
    /// Creates a client. Opens no connection.
    ///
    /// # Errors
    /// Returns an error if the HTTP client cannot be built.
    pub(super) fn new(config: &BackendConfig) -> anyhow::Result<Self> {
        let http = http_client(&config.url).context("cannot build the HTTP client for the backend")?;
        let outage = Outage::new(&format!("the backend at {}", without_password(&config.url)));
        Ok(Self { http, config: config.clone(), outage })
    }

    /// Returns the time between heartbeats.
    pub(super) fn heartbeat_every(&self) -> Duration {
        self.config.heartbeat_every
    }

    /// Registers the worker. If the backend does not have the path, returns `Unavailable` and not
    /// `Unregistered`, because a repeated registration would not help.
    pub(super) async fn register(&self, registration: &Registration) -> BackendState {
        let path = &self.config.register_path;
        match self.post(path, registration).await {
            BackendState::Registered => {
                self.outage.note_available();
                tracing::debug!(worker = registration.worker_id, "registered with the backend");
                BackendState::Registered
            }
            BackendState::Unregistered => {
                self.outage.note_unavailable(&format!("{path} returned 404 Not Found; check BACKEND_REGISTER_PATH"));
                BackendState::Unavailable
            }
            BackendState::Unavailable => BackendState::Unavailable,
        }
    }

    /// Sends a heartbeat.
    pub(super) async fn send_heartbeat(&self, heartbeat: &Heartbeat) -> BackendState {
        let path = self.config.heartbeat_path.replace("{worker_id}", heartbeat.worker_id());
        let state = self.post(&path, heartbeat).await;
        // A 404 here means that the backend is available and does not recognise this worker.
        if state != BackendState::Unavailable {
            self.outage.note_available();
        }
        state
    }

    /// Posts a body as JSON. Records the start of an outage, but not its end, because only the
    /// callers know what a 404 means.
    async fn post(&self, path: &str, body: &impl Serialize) -> BackendState {
        let mut request = self.http.post(format!("{}{path}", self.config.url)).json(body);
        if let Some(token) = &self.config.token {
            // The client marks this header as sensitive, so that its debug output omits it.
            request = request.bearer_auth(token.reveal());
        }
        match request.send().await {
            Ok(response) if response.status().is_success() => BackendState::Registered,
            Ok(response) if response.status() == StatusCode::NOT_FOUND => BackendState::Unregistered,
            Ok(response) => {
                self.outage.note_unavailable(&format!("{path} returned {}", response.status()));
                BackendState::Unavailable
            }
            Err(error) => {
                // The error is logged without the URL, which may contain a password.
                self.outage.note_unavailable(&root_cause(&error.without_url()));
                BackendState::Unavailable
            }
        }
    }
}

/// Builds the HTTP client. On a machine without root certificates, the client supports only http://
/// URLs, so that such a machine can still train.
fn http_client(url: &str) -> reqwest::Result<reqwest::Client> {
    let accepts_plain = |error: &reqwest::Error| {
        if url.starts_with("https") {
            let reason = root_cause(error);
            tracing::warn!("no root certificates: {reason}; the backend at an https:// URL cannot be reached");
        }
        true
    };
    http::client(|| reqwest::Client::builder().timeout(TIMEOUT), accepts_plain)
}
