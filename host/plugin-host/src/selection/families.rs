//! Selects the model families that a job requests by name and by flag.

use std::cmp::Reverse;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::TrainingConfig;
use oculus_job::warning::Warning;
use oculus_plugin_api::{Manifest, Role};

use super::naming::{display_name, name_taken, titles, version};
use super::params::FLAG_PREFIX;
use crate::discover::RefusedLibrary;
use crate::installed::InstalledPlugin;

/// The maximum number of unusable libraries in one message.
const MAX_LISTED: usize = 3;

/// Returns the model families. If several plugins claim the same name, only the highest version is
/// returned, with a warning about each of the others.
pub(super) fn highest_versions(installed: &[InstalledPlugin]) -> (Vec<&InstalledPlugin>, Vec<Warning>) {
    let is_family = |plugin: &&InstalledPlugin| matches!(plugin.manifest.role, Role::Tabular | Role::Sequence);
    let mut ranked: Vec<_> = installed.iter().filter(is_family).collect();
    // The sort is stable, so among equal versions the first plugin is used.
    ranked.sort_by_key(|plugin| Reverse(version(plugin)));
    let mut families: Vec<&InstalledPlugin> = Vec::new();
    let mut warnings = Vec::new();
    for plugin in ranked {
        match families.iter().find(|kept| claims_same_name(&kept.manifest, &plugin.manifest)) {
            None => families.push(plugin),
            // A library that was published twice is not a conflict.
            Some(kept) if kept.sha256 == plugin.sha256 => {}
            Some(kept) => {
                let kept = display_name(kept);
                let ignored = display_name(plugin);
                warnings.push(name_taken(format!("plugins {kept} and {ignored} claim the same name; used {kept}")));
            }
        }
    }
    // Restores the order of `installed`, which is by id. Messages list the families in this order.
    families.sort_by_key(|kept| installed.iter().position(|plugin| std::ptr::eq(plugin, *kept)));
    (families, warnings)
}

fn claims_same_name(one: &Manifest, other: &Manifest) -> bool {
    one.names.iter().chain([&one.id]).any(|name| other.answers_to(name))
}

/// Returns the family that leads the config search.
///
/// # Errors
/// Returns `unknown_model` with the families that can lead the search and the libraries that cannot
/// be used.
pub(super) fn search_family<'a>(
    name: &str,
    families: &[&'a InstalledPlugin],
    refused: &[RefusedLibrary],
) -> Result<&'a InstalledPlugin, JobError> {
    let candidates: Vec<_> = families.iter().copied().filter(|plugin| plugin.manifest.leads_search).collect();
    candidates.iter().copied().find(|plugin| plugin.manifest.answers_to(name)).ok_or_else(|| {
        let nearest = candidates
            .iter()
            .map(|plugin| plugin.manifest.title())
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = match nearest {
            Some(nearest) => {
                format!("set ml_training_config.config_search_model to \"{nearest}\", or install its plugin")
            }
            None => "install a plugin that can lead the config search".to_owned(),
        };
        let is_installed = families.iter().any(|plugin| plugin.manifest.answers_to(name));
        let found = if is_installed {
            "is installed but cannot lead the config search; families that can"
        } else {
            "is not an installed family; families that can lead the config search"
        };
        let message = format!("config_search_model {name:?} {found}: {}{}", titles(&candidates), unusable(refused));
        JobError::refused(Phase::Queued, ErrorCode::UnknownModel, message, hint)
    })
}

/// Returns the end of an error message: each unusable library with its reason. The text is empty if
/// all libraries can be used.
pub(super) fn unusable(refused: &[RefusedLibrary]) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let file = |library: &RefusedLibrary| library.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named = refused.iter().take(MAX_LISTED);
    let named: Vec<_> =
        named.map(|library| format!("{} ({})", file(library), library.reason.replace('\n', "; "))).collect();
    let n_more = refused.len() - named.len();
    let more = if n_more > 0 { format!(" and {n_more} more, see `oculus-host plugin list`") } else { String::new() };
    format!("; cannot be used: {}{more}", named.join(", "))
}

/// Returns every name and flag with which the job requests a family, each with the matching family
/// if one is installed.
pub(super) fn requested<'a>(
    config: &TrainingConfig,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Vec<(String, Option<&'a InstalledPlugin>)> {
    let by_name = |name: &str| families.iter().copied().find(|plugin| plugin.manifest.answers_to(name));
    let mut requested: Vec<_> = config.families.iter().map(|name| (name.clone(), by_name(name))).collect();
    for flag in config.options.keys().filter(|name| config.flag(name)) {
        let found = family_by_flag(flag, families, warnings);
        // A true field requests a family only if a plugin claims the field or its name has this
        // prefix.
        if found.is_some() || flag.starts_with(FLAG_PREFIX) {
            requested.push((flag.clone(), found));
        }
    }
    requested
}

/// Returns the family that a flag selects. If several families claim the flag, returns the one with
/// the highest version. Among equal versions, the first id wins. A job can select the other
/// families by name.
fn family_by_flag<'a>(
    flag: &str,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Option<&'a InstalledPlugin> {
    let mut claims: Vec<_> = families.iter().filter(|plugin| plugin.manifest.flag.as_deref() == Some(flag)).collect();
    claims.sort_by_key(|plugin| Reverse(version(plugin)));
    let (used, ignored) = claims.split_first()?;
    if !ignored.is_empty() {
        let ignored: Vec<_> = ignored.iter().map(|plugin| display_name(plugin)).collect();
        let ignored = ignored.join(", ");
        let used = display_name(used);
        let message = format!(
            "{flag} selects {used} and {ignored}; used {used}; to add others, list them in ml_training_config.families"
        );
        warnings.push(name_taken(message));
    }
    Some(used)
}
