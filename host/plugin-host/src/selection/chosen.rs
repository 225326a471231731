//! A plugin that a job has chosen, with the parameters that the job sets of it.

use oculus_pipeline::participants::Participant;
use oculus_plugin_api::Param;
use serde_json::{Map, Value};

use crate::device;
use crate::installed::InstalledPlugin;

/// The parameter of a family that can work on a device of its own.
const DEVICE_PARAM: &str = "device";

/// A plugin and the parameters that the job sets of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The plugin.
    pub plugin: InstalledPlugin,
    /// Parameters that the job sets, checked, without the manifest's prefix.
    pub params: Map<String, Value>,
}

impl Chosen {
    /// Returns the device to work on: `cpu` if the host is limited to it, else the device that the job sets for this
    /// family, else the device of the host.
    pub fn device<'a>(&'a self, of_host: &'a str) -> &'a str {
        let of_job = self.params.get(DEVICE_PARAM).and_then(Value::as_str);
        of_job.filter(|device| of_host != device::CPU && *device != device::AUTO).unwrap_or(of_host)
    }

    /// Returns whether it may work on another device than the CPU.
    pub fn may_use_gpu(&self, of_host: &str) -> bool {
        self.device(of_host) != device::CPU && self.plugin.manifest.devices.iter().any(|device| device != device::CPU)
    }

    /// Returns the plugin as the pipeline needs it.
    ///
    /// * `host_device`: device of families for which the job names none.
    pub(super) fn participant(&self, host_device: &str) -> Participant {
        let manifest = &self.plugin.manifest;
        Participant {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            sha256: self.plugin.sha256.clone(),
            params: self.params.clone(),
            device: self.device(host_device).to_owned(),
        }
    }

    /// Returns how many rows a prediction reads; `None` if the plugin reads only the predicted row.
    pub(super) fn lookback_rows(&self) -> Option<usize> {
        let manifest = &self.plugin.manifest;
        let name = manifest.lookback_param.as_ref()?;
        let default = || manifest.params.iter().find(|param| param.name == *name).map(Param::default);
        let n_rows = self.params.get(name).cloned().or_else(default)?.as_u64()?;
        usize::try_from(n_rows).ok()
    }
}
