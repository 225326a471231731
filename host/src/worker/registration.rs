//! The registration of the worker with the backend: its identity and its capabilities.

use std::collections::BTreeSet;

use oculus_plugin_host::installed::InstalledPlugin;
use serde::Serialize;

use crate::config::Config;

/// The body of a registration.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Registration {
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
    /// Returns the registration of this process, without plugins yet.
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

    /// Returns this registration with these plugins as its families and devices.
    #[must_use]
    pub(super) fn with_plugins(&self, plugins: &[InstalledPlugin]) -> Self {
        let families = plugins.iter().map(RegisteredFamily::from).collect();
        let devices = plugins.iter().flat_map(|plugin| plugin.manifest.devices.iter().cloned()).collect();
        Self { families, devices, ..self.clone() }
    }
}

/// Returns an id that can be part of a URL's path.
fn worker_id(hostname: &str, pid: u32) -> String {
    let in_path = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let hostname: String = hostname.chars().map(in_path).collect();
    let started = jiff::Timestamp::now().as_second();
    format!("{hostname}-{pid}-{started}")
}
