//! The registration of the worker with the backend: its identity and its capabilities.

use std::collections::BTreeSet;

use oculus_plugin_host::installed::InstalledPlugin;
use schemars::JsonSchema;
use serde::Serialize;

use super::claim::BootId;
use super::operations::fleet::WorkerReport;
use super::status::WorkerStatus;
use crate::config::Config;
use crate::eta::tenths;

/// The body of a registration request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Registration {
    /// Id of the worker, unique to its process: host name, process id and start time in seconds
    /// since 1970.
    pub worker_id: String,
    /// Host name of the machine.
    hostname: String,
    /// Version of oculus-host.
    version: &'static str,
    /// Process id of the worker.
    pid: u32,
    /// Redis lists from which the worker takes jobs, as in `JOB_QUEUE`.
    queues: Vec<String>,
    /// Largest number of jobs that the worker runs at the same time.
    concurrency: usize,
    /// Active plugins: model families and rule extractors.
    families: Vec<RegisteredFamily>,
    /// Kinds of devices that the active plugins can use, such as `cpu`, without duplicates.
    devices: BTreeSet<String>,
}

/// A model family or rule extractor that an active plugin of this worker provides.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct RegisteredFamily {
    /// Display name of the family or the rule extractor.
    name: String,
    /// Id in the plugin's manifest.
    plugin: String,
    /// Version in the plugin's manifest.
    version: String,
    /// SHA-256 of the library file, lower-case hex.
    sha256: String,
}

impl From<&InstalledPlugin> for RegisteredFamily {
    fn from(plugin: &InstalledPlugin) -> Self {
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
    /// Returns the registration of this process, without plugins.
    pub(super) fn from_process(config: &Config) -> Self {
        let uname = rustix::system::uname();
        let hostname = uname.nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        Self {
            worker_id: worker_id(&hostname, pid),
            hostname,
            version: env!("CARGO_PKG_VERSION"),
            pid,
            queues: config.queue.names.clone(),
            concurrency: config.jobs.concurrency,
            families: Vec::new(),
            devices: BTreeSet::new(),
        }
    }

    /// Returns a copy of this registration with the families and devices of `plugins`.
    #[must_use]
    pub(super) fn with_plugins(&self, plugins: &[InstalledPlugin]) -> Self {
        let families = plugins.iter().map(RegisteredFamily::from).collect();
        let devices = plugins.iter().flat_map(|plugin| plugin.manifest.devices.iter().cloned()).collect();
        Self { families, devices, ..self.clone() }
    }

    /// Returns a copy of this registration with another number of concurrent jobs.
    #[must_use]
    pub(super) fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    /// Returns the report of this worker for its queues.
    ///
    pub(super) fn report(self, boot: BootId, status: &WorkerStatus) -> WorkerReport {
        let heartbeat = status.heartbeat(&self.worker_id);
        WorkerReport {
            worker_id: self.worker_id,
            boot: boot.to_string(),
            hostname: self.hostname,
            pid: self.pid,
            version: self.version.to_owned(),
            queues: self.queues,
            concurrency: self.concurrency,
            devices: self.devices.into_iter().collect(),
            state: heartbeat.state,
            running: heartbeat.running,
            counters: heartbeat.counters,
            started_at: status.started_at,
            fetch_age_s: status.fetch_age().map(|age| tenths(age.as_secs_f64())),
        }
    }
}

/// Returns the worker's id. The id is a part of the heartbeats' path, so it contains only
/// characters that need no escape in a URL.
fn worker_id(hostname: &str, pid: u32) -> String {
    let path_safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let hostname: String = hostname.chars().map(path_safe).collect();
    // In containers, the host name and the process id repeat after a restart, but the start time
    // does not.
    let started = jiff::Timestamp::now().as_second();
    format!("{hostname}-{pid}-{started}")
}
