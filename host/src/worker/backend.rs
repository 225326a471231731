//! The HTTP client of the platform's backend: registrations and heartbeats.
//!
//! In: [`Registration`]s and [`Heartbeat`]s. Out: the [`BackendState`] that the response shows.
//! Invariant: an outage of the backend is logged once, and no log line contains a password of its
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

const TIMEOUT: Duration = Duration::from_secs(10);

/// What the backend's response, or its absence, shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackendState {
    /// This worker is registered.
    Registered,
    /// This worker is not registered, for example because the backend has restarted.
    Unregistered,
    /// The backend does not respond, or responds with an error; the reason is logged.
    Unavailable,
}

/// The client of the backend.
pub(super) struct Backend {
    http: reqwest::Client,
    config: BackendConfig,
    outage: Outage,
}

impl Backend {
    /// Creates a client; opens no connection yet.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(super) fn new(config: &BackendConfig) -> anyhow::Result<Self> {
        let http = http_client(&config.url).context("no HTTP client for the backend")?;
        let outage = Outage::new(&format!("the backend at {}", without_password(&config.url)));
        Ok(Self { http, config: config.clone(), outage })
    }

    /// Returns the time between heartbeats.
    pub(super) fn heartbeat_every(&self) -> Duration {
        self.config.heartbeat_every
    }

    /// Registers the worker. A backend without that path is unavailable, never `Unregistered`.
    pub(super) async fn register(&self, registration: &Registration) -> BackendState {
        let path = &self.config.register_path;
        match self.post(path, registration).await {
            BackendState::Registered => {
                self.outage.ended();
                tracing::debug!(worker = registration.worker_id, "registered with the backend");
                BackendState::Registered
            }
            BackendState::Unregistered => {
                self.outage.began(&format!("{path} is not found there"));
                BackendState::Unavailable
            }
            BackendState::Unavailable => BackendState::Unavailable,
        }
    }

    /// Sends a heartbeat.
    pub(super) async fn send_heartbeat(&self, heartbeat: &Heartbeat) -> BackendState {
        let path = self.config.heartbeat_path.replace("{worker_id}", heartbeat.worker_id());
        let state = self.post(&path, heartbeat).await;
        if state != BackendState::Unavailable {
            self.outage.ended();
        }
        state
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> BackendState {
        let mut request = self.http.post(format!("{}{path}", self.config.url)).json(body);
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.reveal());
        }
        match request.send().await {
            Ok(response) if response.status().is_success() => BackendState::Registered,
            Ok(response) if response.status() == StatusCode::NOT_FOUND => BackendState::Unregistered,
            Ok(response) => {
                self.outage.began(&format!("{path} returned {}", response.status()));
                BackendState::Unavailable
            }
            Err(error) => {
                // The URL may contain a password.
                self.outage.began(&root_cause(&error.without_url()));
                BackendState::Unavailable
            }
        }
    }
}

/// Builds the HTTP client. A machine without root certificates can still train, so there it
/// supports http:// only.
fn http_client(url: &str) -> reqwest::Result<reqwest::Client> {
    let accepts_plain = |error: &reqwest::Error| {
        if url.starts_with("https") {
            tracing::warn!("no certificate will be trusted, so the backend cannot be reached: {}", root_cause(error));
        }
        true
    };
    http::client(|| reqwest::Client::builder().timeout(TIMEOUT), accepts_plain)
}
