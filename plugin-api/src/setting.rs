//! The setting of a call that prepares a table or loads a model.

use serde::{Deserialize, Serialize};

use crate::{PluginError, Result};

/// Device, threads and seed of one call.
///
/// It crosses the boundary as a JSON object that may grow in later versions. Absent fields get
/// their default values, and unknown fields are ignored.
///
/// ```
/// use oculus_plugin_api::Setting;
///
/// let setting = Setting::from_json(r#"{"device": "cuda", "precision": "half"}"#)?;
/// assert_eq!(setting, Setting { device: "cuda".into(), ..Setting::default() });
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// Device of the call: one of the manifest's devices, or `auto`.
    pub device: String,
    /// Number of threads that the call may use, at least 1. The number must not change the result.
    pub threads: usize,
    /// Seed of all random numbers of the call.
    pub seed: u64,
}

impl Default for Setting {
    /// Returns the setting with any device, one thread and seed 0.
    fn default() -> Self {
        Self { device: "auto".to_owned(), threads: 1, seed: 0 }
    }
}

impl Setting {
    /// Parses the JSON object that crossed the boundary. An empty text yields the default.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if the text is not a JSON object or a field has
    /// another type.
    pub fn from_json(json: &str) -> Result<Self> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        let setting: Self = serde_json::from_str(json)
            .map_err(|error| PluginError::params(format!("invalid setting {json}: {error}")))?;
        // A number of 0 is raised to 1, so that an author can rely on at least one thread.
        Ok(Self { threads: setting.threads.max(1), ..setting })
    }

    /// Returns the JSON object that crosses the boundary.
    ///
    /// # Errors
    /// [`code::ENGINE`](crate::code::ENGINE) if serialization fails, which does not occur in this
    /// version.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(PluginError::engine)
    }
}
