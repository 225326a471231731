//! Reads the fields of a job that belong to its plugins: parameters with a plugin's prefix, and
//! flags.

use oculus_job::request::TrainingConfig;
use oculus_job::warning::{Warning, WarningCode};
use oculus_plugin_api::{Manifest, Param};
use serde_json::{Map, Value};

use super::chosen::ChosenPlugin;
use crate::installed::InstalledPlugin;

/// Prefix of the flags that select a family.
pub(super) const FLAG_PREFIX: &str = "train_";

/// Returns a plugin with the parameters that the job sets for it, and the problems of these
/// parameters.
pub(super) fn with_params(plugin: &InstalledPlugin, config: &TrainingConfig) -> (ChosenPlugin, Vec<String>) {
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
    (ChosenPlugin { plugin: plugin.clone(), params }, problems)
}

/// Returns the checked value that the job sets for a parameter, or `None` if it sets none. If the
/// plugin has no prefix, a job cannot set its parameters, because no field of the job belongs to
/// it.
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
        .map(|(name, value)| format!("ml_training_config.{name}: found {value}, expected true or false"))
}

/// Returns one warning per field that has the prefix of a selected plugin but is not one of its
/// parameters. Such a field has no effect and is probably misspelt.
///
/// * `plugins`: all plugins to which the field may belong.
pub(super) fn unknown_parameters(
    plugins: &[&InstalledPlugin],
    chosen: &[&InstalledPlugin],
    config: &TrainingConfig,
) -> Vec<Warning> {
    let unknown = |name: &String| {
        // The field belongs to the plugin with the longest matching prefix, such as `nn_deep_`
        // instead of `nn_`.
        let owner = plugins.iter().max_by_key(|plugin| prefix_len(&plugin.manifest, name))?;
        let manifest = &chosen.iter().find(|plugin| std::ptr::eq(**plugin, *owner))?.manifest;
        let (prefix, suffix) = name.split_at(prefix_len(manifest, name)?);
        let params = &manifest.params;
        if params.iter().any(|param| param.name == suffix) {
            return None;
        }
        // The similarity is an integer, because `max_by_key` needs a total order, which `f64`
        // lacks.
        let similarity = |param: &&Param| (strsim::jaro_winkler(&param.name, suffix) * 1e6) as u32;
        let nearest = params.iter().max_by_key(similarity)?;
        let message = format!(
            "ml_training_config.{name} is not a parameter of {} and has no effect; the most similar one is {prefix}{}",
            manifest.title(),
            nearest.name
        );
        Some(Warning::new(WarningCode::UnknownParameter, message))
    };
    config.options.keys().filter_map(unknown).collect()
}

/// Returns the length of the plugin's prefix, if the field begins with it.
fn prefix_len(manifest: &Manifest, field: &str) -> Option<usize> {
    let prefix = manifest.prefix.as_deref().filter(|prefix| !prefix.is_empty() && field.starts_with(prefix))?;
    Some(prefix.len())
}
