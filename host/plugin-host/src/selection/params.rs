//! The fields of a job that belong to its plugins: parameters with a plugin's prefix, and flags.

use oculus_job::request::TrainingConfig;
use oculus_job::warning::{Warning, WarningCode};
use oculus_plugin_api::{Manifest, Param};
use serde_json::{Map, Value};

use super::chosen::Chosen;
use crate::installed::InstalledPlugin;

/// Prefix of the flags that select a family.
pub(super) const FLAG_PREFIX: &str = "train_";

/// Returns a plugin with the parameters that the job sets of it, and everything that is wrong with them.
pub(super) fn with_params(plugin: &InstalledPlugin, config: &TrainingConfig) -> (Chosen, Vec<String>) {
    let prefix = plugin.manifest.prefix.as_deref().unwrap_or_default();
    let mut params = Map::new();
    let mut problems = Vec::new();
    for param in &plugin.manifest.params {
        match set_by_job(param, prefix, config) {
            Some(Ok(value)) => _ = params.insert(param.name.clone(), value),
            Some(Err(problem)) => problems.push(format!("ml_training_config.{prefix}{problem}")),
            None => {}
        }
    }
    (Chosen { plugin: plugin.clone(), params }, problems)
}

/// Returns the checked value that the job sets. A parameter of a plugin without a prefix cannot be set: the field would
/// not belong to one plugin.
fn set_by_job(param: &Param, prefix: &str, config: &TrainingConfig) -> Option<Result<Value, String>> {
    if prefix.is_empty() {
        return None;
    }
    let value = config.options.get(&format!("{prefix}{}", param.name))?;
    Some(param.check(value))
}

/// Returns the problems of fields that look like flags and are neither true nor false.
pub(super) fn flag_problems(config: &TrainingConfig) -> impl Iterator<Item = String> {
    let flags = config.options.iter().filter(|(name, value)| name.starts_with(FLAG_PREFIX) && !value.is_null());
    flags
        .filter(|(_, value)| !value.is_boolean())
        .map(|(name, value)| format!("ml_training_config.{name}: found {value}, needed true or false"))
}

/// Returns a warning per field that begins like a parameter of a chosen plugin and is not one. It has no effect, and is
/// most likely misspelt.
///
/// * `plugins`: all that could own the field.
pub(super) fn unknown_parameters(
    plugins: &[&InstalledPlugin],
    chosen: &[&InstalledPlugin],
    config: &TrainingConfig,
) -> Vec<Warning> {
    let unknown = |name: &String| {
        // Of `nn_` and `nn_deep_` the longer one owns the field.
        let owner = plugins.iter().max_by_key(|plugin| prefix_len(&plugin.manifest, name))?;
        let manifest = &chosen.iter().find(|plugin| std::ptr::eq(**plugin, *owner))?.manifest;
        let (prefix, own) = name.split_at(prefix_len(manifest, name)?);
        let params = &manifest.params;
        if params.iter().any(|param| param.name == own) {
            return None;
        }
        let likeness = |param: &&Param| (strsim::jaro_winkler(&param.name, own) * 1e6) as u32;
        let nearest = params.iter().max_by_key(likeness)?;
        let message = format!(
            "ml_training_config.{name} is no parameter of {} and changes nothing; the nearest is {prefix}{}",
            manifest.title(),
            nearest.name
        );
        Some(Warning::new(WarningCode::UnknownParameter, message))
    };
    config.options.keys().filter_map(unknown).collect()
}

/// Returns the length of the plugin's prefix if the field begins with it.
fn prefix_len(manifest: &Manifest, field: &str) -> Option<usize> {
    let prefix = manifest.prefix.as_deref().filter(|prefix| !prefix.is_empty() && field.starts_with(prefix))?;
    Some(prefix.len())
}
