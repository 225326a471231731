//! The backend as the worker sees it: two requests, and one warning an outage.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::heartbeat::Heartbeat;
use oculus_market_data::tls;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_system::secret::without_password;

use super::redis_client::Outage;
use crate::config::{BackendConfig, Config};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Who this worker is and what it can do.
#[derive(Clone, Debug, Serialize)]
pub struct Registration {
    /// Unique to this process: host name, process id and start time.
    pub worker_id: String,
    hostname: String,
    version: &'static str,
    pid: u32,
    queues: Vec<String>,
    concurrency: usize,
    families: Vec<RegisteredFamily>,
    devices: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize)]
struct RegisteredFamily {
    name: String,
    plugin: String,
    version: String,
    sha256: String,
}

impl RegisteredFamily {
    fn of(plugin: &InstalledPlugin) -> Self {
        let manifest = &plugin.manifest;
        Self {
            name: manifest.title().to_owned(),
            plugin: manifest.id.clone(),
            version: manifest.version.clone(),
            sha256: plugin.sha256.clone(),
        }
    }
}

impl Registration {
    /// Of this process, without a plugin yet.
    pub fn of_process(config: &Config) -> Self {
        let uname = rustix::system::uname();
        let hostname = uname.nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        let started = jiff::Timestamp::now().as_second();
        let in_path = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        Self {
            worker_id: format!("{}-{pid}-{started}", hostname.chars().map(in_path).collect::<String>()),
            hostname,
            version: env!("CARGO_PKG_VERSION"),
            pid,
            queues: config.queue.names.clone(),
            concurrency: config.jobs.concurrency,
            families: Vec::new(),
            devices: BTreeSet::new(),
        }
    }

    /// With what serves at this moment.
    #[must_use]
    pub fn with(&self, plugins: &[InstalledPlugin]) -> Self {
        let families = plugins.iter().map(RegisteredFamily::of).collect();
        let devices = plugins.iter().flat_map(|plugin| plugin.manifest.devices.iter().cloned()).collect();
        Self { families, devices, ..self.clone() }
    }
}

/// What the backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It knows this worker.
    Yes,
    /// It does not, perhaps since it started anew.
    No,
}

/// The backend.
pub struct Backend {
    http: reqwest::Client,
    config: BackendConfig,
    outage: Outage,
}

impl Backend {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(config: &BackendConfig) -> anyhow::Result<Self> {
        tls::install();
        let builder = || reqwest::Client::builder().timeout(TIMEOUT);
        // A machine without root certificates is no reason not to train: then only http:// is spoken.
        let http = builder().build().or_else(|error| {
            if config.url.starts_with("https") {
                tracing::warn!(
                    "no certificate will be trusted, so the backend cannot be reached: {}",
                    root_cause(&error)
                );
            }
            builder().tls_certs_only([]).build()
        });
        let http = http.context("no HTTP client for the backend")?;
        Ok(Self {
            http,
            config: config.clone(),
            outage: Outage::of(&format!("the backend at {}", without_password(&config.url))),
        })
    }

    /// The time between heartbeats.
    pub fn heartbeat_every(&self) -> Duration {
        self.config.heartbeat_every
    }

    /// Says who this worker is; `None` when the backend does not serve, which is logged once an outage.
    pub async fn register(&self, who: &Registration) -> Option<Known> {
        match self.post(&self.config.register_path, who).await {
            Some(Known::No) => {
                self.outage.began(&format!("{} is not found there", self.config.register_path));
                None
            }
            Some(Known::Yes) => {
                self.outage.ended();
                tracing::debug!(worker = who.worker_id, "registered with the backend");
                Some(Known::Yes)
            }
            None => None,
        }
    }

    /// Says what this worker does; `None` as for [`Backend::register`].
    pub async fn heartbeat(&self, beat: &Heartbeat) -> Option<Known> {
        let path = self.config.heartbeat_path.replace("{worker_id}", beat.worker_id());
        let known = self.post(&path, beat).await;
        if known.is_some() {
            self.outage.ended();
        }
        known
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Option<Known> {
        let mut request = self.http.post(format!("{}{path}", self.config.url)).json(body);
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.reveal());
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Some(Known::Yes),
            Ok(answer) if answer.status() == reqwest::StatusCode::NOT_FOUND => Some(Known::No),
            Ok(answer) => {
                self.outage.began(&format!("{path} answered {}", answer.status()));
                None
            }
            Err(error) => {
                // Without the address: it may hold a user's password.
                self.outage.began(&root_cause(&error.without_url()));
                None
            }
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}
