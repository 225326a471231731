//! How plugins are ranked by version and named in reasons and warnings.

use oculus_job::warning::{Warning, WarningCode};

use crate::installed::InstalledPlugin;

/// Returns `major.minor.patch` as numbers; a part that is not a number counts as 0.
pub fn version(plugin: &InstalledPlugin) -> Vec<u64> {
    plugin.manifest.version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Returns id, version and the beginning of the hash, which distinguish two plugins that claim one name.
pub(super) fn named(plugin: &InstalledPlugin) -> String {
    format!("{} {} ({})", plugin.manifest.id, plugin.manifest.version, &plugin.sha256[..plugin.sha256.len().min(12)])
}

/// Returns the titles of plugins, as the end of a sentence.
pub(super) fn titles(plugins: &[&InstalledPlugin]) -> String {
    let titles: Vec<_> = plugins.iter().map(|plugin| plugin.manifest.title()).collect();
    if titles.is_empty() { "none".to_owned() } else { titles.join(", ") }
}

/// Returns the warning about a name or a flag that more than one plugin claims.
pub(super) fn name_taken(message: String) -> Warning {
    Warning::new(WarningCode::PluginNameTaken, message)
}
