//! A plugin that a job uses, together with the parameters that the job sets.

use oculus_pipeline::participants::Participant;
use oculus_plugin_api::Param;
use serde_json::{Map, Value};

use crate::device;
use crate::installed::InstalledPlugin;

/// Name of the job parameter that sets the device of one family.
const DEVICE_PARAM: &str = "device";

/// A plugin that a job uses, and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenPlugin {
    /// The plugin.
    pub plugin: InstalledPlugin,
    /// The parameters that the job sets, checked and named without the manifest's prefix.
    pub params: Map<String, Value>,
}

impl ChosenPlugin {
    /// Returns the device of this plugin: `cpu` if the host is limited to the CPU, else the device
    /// that the job sets for this family, else the device of the host.
    ///
    /// * `host_device`: device that the host's settings select.
    pub fn device<'a>(&'a self, host_device: &'a str) -> &'a str {
        let job_device = self.params.get(DEVICE_PARAM).and_then(Value::as_str);
        job_device.filter(|device| host_device != device::CPU && *device != device::AUTO).unwrap_or(host_device)
    }

    /// Returns whether the plugin may use a device other than the CPU.
    ///
    /// * `host_device`: device that the host's settings select.
    pub fn may_use_gpu(&self, host_device: &str) -> bool {
        self.device(host_device) != device::CPU
            && self.plugin.manifest.devices.iter().any(|device| device != device::CPU)
    }

    /// Converts the plugin to the type that the pipeline uses.
    ///
    /// * `host_device`: device of each family for which the job sets no device.
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

    /// Returns the number of rows that a prediction reads, or `None` if the plugin reads only the
    /// predicted row.
    pub(super) fn lookback_rows(&self) -> Option<usize> {
        let manifest = &self.plugin.manifest;
        let name = manifest.lookback_param.as_ref()?;
        let default = || manifest.params.iter().find(|param| param.name == *name).map(Param::default);
        let n_rows = self.params.get(name).cloned().or_else(default)?.as_u64()?;
        usize::try_from(n_rows).ok()
    }
}
