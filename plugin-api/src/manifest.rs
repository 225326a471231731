//! The manifest: a plugin's description of itself. The host's code contains no family names, so
//! everything it does with a plugin follows from the manifest.

use serde::{Deserialize, Serialize};

use crate::{Param, PluginError, Result};

/// The kind of a plugin's results.
///
/// ```
/// use oculus_plugin_api::{Manifest, Param, Role};
///
/// let windows = Param::int("sequence_length", 32).range(1, 512);
/// let manifest = Manifest::new("lstm", "1.0.0").role(Role::Sequence).lookback_param("sequence_length").param(windows);
/// assert_eq!(manifest.check(), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A model that scores a row based on this row alone.
    Tabular,
    /// A model that scores a row based on a window of rows that ends with this row.
    Sequence,
    /// Trading rules, proposed by an [`Extractor`](crate::Extractor).
    Rules,
    /// A role of a later version of this API.
    #[serde(other)]
    Unknown,
}

/// A plugin's description of itself: id, version, the names and flags that select it, and its
/// parameters.
///
/// It crosses the boundary as JSON. A reader ignores unknown fields.
///
/// ```
/// use oculus_plugin_api::{Manifest, Param};
///
/// let manifest = Manifest::new("nearest", "1.2.0")
///     .named(["NearestNeighbours", "knn"])
///     .selected_by("train_knn")
///     .prefixed("knn_")
///     .param(Param::int("neighbours", 15).range(1, 500).search(5, 50).help("neighbours that vote"))
///     .leads_search()
///     .concurrent_fits();
/// assert!(manifest.answers_to("KNN"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the plugin's folder, which also marks its log lines. It contains lower-case letters,
    /// digits and `-`.
    pub id: String,
    /// Version of the plugin, `major.minor.patch`.
    pub version: String,
    /// Version of this API with which the plugin was built.
    pub api: String,
    /// Kind of the plugin's results.
    pub role: Role,
    /// Names by which a job may select the plugin. The first name is the one displayed. Case, `-`,
    /// `_` and spaces are ignored in comparisons.
    pub names: Vec<String>,
    /// Flag of `ml_training_config` that selects the plugin, such as `train_lstm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Prefix of the plugin's parameters in `ml_training_config`, such as `lstm_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Devices that the plugin can use on this machine: `cpu`, `cuda`, `mps`.
    pub devices: Vec<String>,
    /// Whether the family can lead the config search. The search runs many fits, so the fits must
    /// be fast.
    pub leads_search: bool,
    /// Whether several fits may run in one process at the same time.
    pub concurrent_fits: bool,
    /// Whether a fit can start from a base score per row, to which its scores are added.
    #[serde(default)]
    pub base_score: bool,
    /// Whether the host fits the family in every job, and reports it as a baseline with which the
    /// other families are compared. It can win only in a job that requests it. Its fits must be
    /// fast.
    #[serde(default)]
    pub baseline: bool,
    /// Name of the parameter that counts boosting rounds or epochs. In each fold, early stopping
    /// keeps a number of rounds ([`Summary::rounds`](crate::Summary::rounds)). For the final fit,
    /// the host sets this parameter to the median of these numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_param: Option<String>,
    /// Name of the parameter that sets the number of rows in the window of a prediction. The host
    /// loads this many additional bars before the first predicted row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback_param: Option<String>,
    /// File extension of a saved model, such as `txt` or `safetensors`; `bin` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves_as: Option<String>,
    /// Declarations of all parameters.
    pub params: Vec<Param>,
}

impl Manifest {
    /// Creates the manifest of a tabular plugin that runs on the CPU. The id is its only name.
    pub fn new(id: &str, version: &str) -> Self {
        Self {
            id: id.to_owned(),
            version: version.to_owned(),
            // The constructor is compiled into the plugin, so this is the version with which the
            // plugin was built.
            api: env!("CARGO_PKG_VERSION").to_owned(),
            role: Role::Tabular,
            names: vec![id.to_owned()],
            flag: None,
            prefix: None,
            devices: vec!["cpu".to_owned()],
            leads_search: false,
            concurrent_fits: false,
            base_score: false,
            baseline: false,
            rounds_param: None,
            lookback_param: None,
            saves_as: None,
            params: Vec::new(),
        }
    }

    /// Sets the kind of the plugin's results.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Sets the names by which a job may select the plugin, the displayed one first.
    #[must_use]
    pub fn named<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { names: names.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// Sets the flag of `ml_training_config` that selects the plugin.
    #[must_use]
    pub fn selected_by(self, flag: &str) -> Self {
        Self { flag: Some(flag.to_owned()), ..self }
    }

    /// Sets the prefix of the plugin's parameters in `ml_training_config`.
    #[must_use]
    pub fn prefixed(self, prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..self }
    }

    /// Sets the devices that the plugin can use on this machine.
    #[must_use]
    pub fn devices<'n>(self, devices: impl IntoIterator<Item = &'n str>) -> Self {
        Self { devices: devices.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// Allows the family to lead the config search.
    #[must_use]
    pub fn leads_search(self) -> Self {
        Self { leads_search: true, ..self }
    }

    /// Allows several fits to run in one process at the same time.
    #[must_use]
    pub fn concurrent_fits(self) -> Self {
        Self { concurrent_fits: true, ..self }
    }

    /// Allows a fit to start from a base score per row. The family must implement
    /// [`PreparedFamily::fit_from`](crate::PreparedFamily::fit_from) and
    /// [`Model::predict_from`](crate::Model::predict_from).
    #[must_use]
    pub fn supports_base_score(self) -> Self {
        Self { base_score: true, ..self }
    }

    /// Declares that the host fits the family in every job as a baseline. New in version 1.1.
    #[must_use]
    pub fn reported_as_baseline(self) -> Self {
        Self { baseline: true, ..self }
    }

    /// Names the parameter that counts boosting rounds or epochs.
    #[must_use]
    pub fn rounds_param(self, name: &str) -> Self {
        Self { rounds_param: Some(name.to_owned()), ..self }
    }

    /// Names the parameter that sets the number of rows in the window of a prediction.
    #[must_use]
    pub fn lookback_param(self, name: &str) -> Self {
        Self { lookback_param: Some(name.to_owned()), ..self }
    }

    /// Sets the file extension of a saved model.
    #[must_use]
    pub fn saves_as(self, extension: &str) -> Self {
        Self { saves_as: Some(extension.to_owned()), ..self }
    }

    /// Returns the displayed name.
    pub fn title(&self) -> &str {
        self.names.first().unwrap_or(&self.id)
    }

    /// Checks that a device is one of the manifest's devices. `auto` is always valid.
    ///
    /// # Errors
    /// [`code::DEVICE`](crate::code::DEVICE) for any other device. The message lists the manifest's
    /// devices.
    pub fn check_device(&self, device: &str) -> Result<()> {
        // For `auto` the plugin selects a device.
        if device == "auto" || self.devices.iter().any(|known| known == device) {
            return Ok(());
        }
        let known = self.devices.join(", ");
        Err(PluginError::device(format!(
            "unknown device `{device}`: on this machine the plugin has {known}; use auto or one of these"
        )))
    }

    /// Returns whether `name` in a job selects this plugin.
    pub fn answers_to(&self, name: &str) -> bool {
        self.names.iter().chain([&self.id]).any(|known| folded(known).eq(folded(name)))
    }
}

/// Removes the differences that a comparison of names ignores: case and separators.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase)
}
