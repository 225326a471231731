//! Where and how a plugin works when it makes a table ready or reads a model, as an author sees it.

use serde::{Deserialize, Serialize};

use crate::{PluginError, Result};

/// Device, threads and seed of one call.
///
/// Crosses the boundary as a JSON object that may grow: what is absent takes its default, and what a version does not
/// know is ignored.
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
    /// One of the manifest's devices, or `auto`.
    pub device: String,
    /// Threads that the call may use, at least 1. Must not change what comes out.
    pub threads: usize,
    /// Where all randomness of the call starts.
    pub seed: u64,
}

impl Default for Setting {
    /// Any device, one thread, seed 0.
    fn default() -> Self {
        Self { device: "auto".to_owned(), threads: 1, seed: 0 }
    }
}

impl Setting {
    /// Reads what crossed the boundary; an empty text is the default.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) for anything but a JSON object, or a field of another type.
    pub fn from_json(json: &str) -> Result<Self> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        let setting: Self = serde_json::from_str(json)
            .map_err(|error| PluginError::params(format!("the setting {json} cannot be read: {error}")))?;
        Ok(Self { threads: setting.threads.max(1), ..setting })
    }

    /// What crosses the boundary.
    ///
    /// # Errors
    /// [`code::ENGINE`](crate::code::ENGINE), never for a setting of this version.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(PluginError::engine)
    }
}
