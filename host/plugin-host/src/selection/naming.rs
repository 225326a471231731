//! The version order of plugins, and their names in messages.

use oculus_job::warning::{Warning, WarningCode};

use crate::installed::InstalledPlugin;

/// Returns the parts of `major.minor.patch` as numbers. A part that is not a number is treated as
/// 0.
pub fn version(plugin: &InstalledPlugin) -> Vec<u64> {
    plugin.manifest.version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Returns the id, the version and the first digits of the hash. They distinguish two plugins that
/// claim the same name.
pub(super) fn display_name(plugin: &InstalledPlugin) -> String {
    format!("{} {} ({})", plugin.manifest.id, plugin.manifest.version, &plugin.sha256[..plugin.sha256.len().min(12)])
}

/// Returns the titles of plugins as a list that ends a sentence.
pub(super) fn titles(plugins: &[&InstalledPlugin]) -> String {
    let titles: Vec<_> = plugins.iter().map(|plugin| plugin.manifest.title()).collect();
    if titles.is_empty() { "none".to_owned() } else { titles.join(", ") }
}

/// Returns the warning about a name or a flag that more than one plugin declares.
pub(super) fn name_taken(message: String) -> Warning {
    Warning::new(WarningCode::PluginNameTaken, message)
}
