//! The effective values of all variables as text, to compare two configurations.
//!
//! Invariant: a secret is only compared, by its hash, and never stored or displayed.

use std::collections::BTreeMap;
use std::fmt;

use oculus_job::hash::sha256_hex;
use oculus_system::secret::without_password;

use super::layers::Layers;
use super::variables::{VARIABLES, Variable};

/// The value of each variable, or its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingTexts(BTreeMap<&'static str, SettingText>);

#[derive(Clone, PartialEq, Eq)]
struct SettingText {
    /// The text as a log may contain it.
    shown: String,
    /// The hash of the text.
    sha256: String,
}

/// A variable whose value differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedSetting {
    /// The name of the variable.
    pub name: &'static str,
    /// The old value, or `***` for a secret.
    pub from: String,
    /// The new value, or `***` for a secret.
    pub to: String,
}

impl SettingTexts {
    /// Reads the values from the sources of settings.
    pub(super) fn from_layers(layers: &Layers) -> Self {
        let text =
            |variable: &Variable| layers.get(variable.name).map_or(variable.default, |value| &value.text).to_owned();
        Self(VARIABLES.iter().map(|variable| (variable.name, SettingText::new(variable, &text(variable)))).collect())
    }

    /// Returns the variables whose values differ in `other`, by name.
    pub fn changes(&self, other: &Self) -> Vec<ChangedSetting> {
        let changed = self.0.iter().filter_map(|(name, from)| {
            let to = other.0.get(name).filter(|to| *to != from)?;
            Some(ChangedSetting { name, from: from.shown.clone(), to: to.shown.clone() })
        });
        changed.collect()
    }

    /// Copies the value of one variable from `other`.
    pub fn copy(&mut self, name: &'static str, other: &Self) {
        if let Some(text) = other.0.get(name) {
            self.0.insert(name, text.clone());
        }
    }
}

impl fmt::Debug for SettingText {
    // The hash of a short secret would reveal it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl SettingText {
    fn new(variable: &Variable, text: &str) -> Self {
        let shown = match text {
            "" => "unset".to_owned(),
            _ if variable.secret => "***".to_owned(),
            text => without_password(text),
        };
        Self { shown, sha256: sha256_hex(text.as_bytes()) }
    }
}
