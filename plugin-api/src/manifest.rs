//! What a plugin says of itself. The host knows no family by name: all it does follows from here.

use serde::{Deserialize, Serialize};

use crate::{Param, PluginError, Result};

/// What a plugin makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A model that reads one row at a time.
    Tabular,
    /// A model that reads a window of rows up to the one it scores.
    Sequence,
    /// Trading rules.
    Rules,
    /// Something of a later version of this API.
    #[serde(other)]
    Unknown,
}

/// A plugin's own account: who it is, what selects it, what it takes.
///
/// Crosses the boundary as JSON; fields that a version does not know are ignored.
///
/// ```
/// use oculus_plugin_api::{Manifest, Param};
///
/// let manifest = Manifest::new("nearest", "1.2.0")
///     .named(["NearestNeighbours", "knn"])
///     .selected_by("train_knn")
///     .prefixed("knn_")
///     .param(Param::int("neighbours", 15).range(1, 500).search(5, 50).help("rows that vote"))
///     .leads_search()
///     .concurrent_fits();
/// assert!(manifest.answers_to("KNN"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Folder and log name: lower-case letters, digits, `-`.
    pub id: String,
    /// Version of the plugin, `major.minor.patch`.
    pub version: String,
    /// Version of this API that the plugin was built with.
    pub api: String,
    /// What it makes.
    pub role: Role,
    /// Names that a job may call it by, the one to show first; case, `-` and `_` do not matter.
    pub names: Vec<String>,
    /// Flag of `ml_training_config` that selects it, such as `train_lstm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Prefix of its parameters in `ml_training_config`, such as `lstm_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Devices that it can use: `cpu`, `cuda`, `mps`.
    pub devices: Vec<String>,
    /// Whether it may lead the search for label and configuration: many fits, quick ones.
    pub leads_search: bool,
    /// Whether several fits may run in one process at once.
    pub concurrent_fits: bool,
    /// The parameter that counts boosting rounds or epochs. The host sets it for the final fit to what early stopping
    /// found on the folds ([`Summary::rounds`](crate::Summary::rounds)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_param: Option<String>,
    /// The parameter that says how many rows up to its own a prediction reads. The host loads that many bars more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback_param: Option<String>,
    /// Ending of a file that holds a saved model, such as `txt` or `safetensors`; `bin` where none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves_as: Option<String>,
    /// Everything that can be set.
    pub params: Vec<Param>,
}

impl Manifest {
    /// A tabular plugin for the CPU, with its id as its only name.
    pub fn new(id: &str, version: &str) -> Self {
        Self {
            id: id.to_owned(),
            version: version.to_owned(),
            api: env!("CARGO_PKG_VERSION").to_owned(),
            role: Role::Tabular,
            names: vec![id.to_owned()],
            flag: None,
            prefix: None,
            devices: vec!["cpu".to_owned()],
            leads_search: false,
            concurrent_fits: false,
            rounds_param: None,
            lookback_param: None,
            saves_as: None,
            params: Vec::new(),
        }
    }

    /// What it makes.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Names that a job may call it by, the one to show first.
    #[must_use]
    pub fn named<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { names: names.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// The flag of `ml_training_config` that selects it.
    #[must_use]
    pub fn selected_by(self, flag: &str) -> Self {
        Self { flag: Some(flag.to_owned()), ..self }
    }

    /// The prefix of its parameters in `ml_training_config`.
    #[must_use]
    pub fn prefixed(self, prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..self }
    }

    /// Devices that it can use.
    #[must_use]
    pub fn devices<'n>(self, devices: impl IntoIterator<Item = &'n str>) -> Self {
        Self { devices: devices.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// One more parameter.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// It may lead the config search.
    #[must_use]
    pub fn leads_search(self) -> Self {
        Self { leads_search: true, ..self }
    }

    /// Its fits may run side by side in one process.
    #[must_use]
    pub fn concurrent_fits(self) -> Self {
        Self { concurrent_fits: true, ..self }
    }

    /// The parameter that counts rounds or epochs.
    #[must_use]
    pub fn rounds_param(self, name: &str) -> Self {
        Self { rounds_param: Some(name.to_owned()), ..self }
    }

    /// The parameter that says how many rows a prediction reads.
    #[must_use]
    pub fn lookback_param(self, name: &str) -> Self {
        Self { lookback_param: Some(name.to_owned()), ..self }
    }

    /// Ending of a file that holds a saved model.
    #[must_use]
    pub fn saves_as(self, extension: &str) -> Self {
        Self { saves_as: Some(extension.to_owned()), ..self }
    }

    /// The name to show.
    pub fn title(&self) -> &str {
        self.names.first().unwrap_or(&self.id)
    }

    /// Refuses a device that the plugin does not know; `auto` is always known.
    ///
    /// # Errors
    /// [`code::DEVICE`](crate::code::DEVICE), naming those it knows.
    pub fn check_device(&self, device: &str) -> Result<()> {
        if device == "auto" || self.devices.iter().any(|known| known == device) {
            return Ok(());
        }
        let known = self.devices.join(", ");
        Err(PluginError::device(format!(
            "device `{device}`: this plugin has {known} on this machine; say auto, or one of these"
        )))
    }

    /// Whether a job that says `name` means this plugin.
    pub fn answers_to(&self, name: &str) -> bool {
        self.names.iter().chain([&self.id]).any(|own| folded(own) == folded(name))
    }
}

/// Case and separators do not distinguish names.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}
