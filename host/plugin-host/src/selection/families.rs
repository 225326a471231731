//! The model families that a job asks for, by name and by flag.

use std::cmp::Reverse;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::TrainingConfig;
use oculus_job::warning::Warning;
use oculus_plugin_api::{Manifest, Role};

use super::naming::{name_taken, named, titles, version};
use super::params::FLAG_PREFIX;
use crate::discover::Refused;
use crate::installed::InstalledPlugin;

/// Refused libraries that one reason names.
const MAX_REFUSED: usize = 3;

/// Returns the model families; of those that claim one name, the highest version, with a warning.
pub(super) fn highest_versions(installed: &[InstalledPlugin]) -> (Vec<&InstalledPlugin>, Vec<Warning>) {
    let is_family = |plugin: &&InstalledPlugin| matches!(plugin.manifest.role, Role::Tabular | Role::Sequence);
    let mut ranked: Vec<_> = installed.iter().filter(is_family).collect();
    // Stable: of equal versions the first is used.
    ranked.sort_by_key(|plugin| Reverse(version(plugin)));
    let mut families: Vec<&InstalledPlugin> = Vec::new();
    let mut warnings = Vec::new();
    for plugin in ranked {
        match families.iter().find(|kept| claims_same_name(&kept.manifest, &plugin.manifest)) {
            None => families.push(plugin),
            Some(kept) if kept.sha256 == plugin.sha256 => {}
            Some(kept) => {
                let kept = named(kept);
                let left = named(plugin);
                warnings.push(name_taken(format!("plugins {kept} and {left} answer to one name; used {kept}")));
            }
        }
    }
    families.sort_by_key(|kept| installed.iter().position(|plugin| std::ptr::eq(plugin, *kept)));
    (families, warnings)
}

fn claims_same_name(one: &Manifest, other: &Manifest) -> bool {
    one.names.iter().chain([&one.id]).any(|name| other.answers_to(name))
}

/// Returns the family that leads the search.
///
/// # Errors
/// `unknown_model` with the families that can lead, and the libraries that cannot be used.
pub(super) fn lead<'a>(
    name: &str,
    families: &[&'a InstalledPlugin],
    refused: &[Refused],
) -> Result<&'a InstalledPlugin, Failure> {
    let leads: Vec<_> = families.iter().copied().filter(|plugin| plugin.manifest.leads_search).collect();
    leads.iter().copied().find(|plugin| plugin.manifest.answers_to(name)).ok_or_else(|| {
        let nearest = leads
            .iter()
            .map(|plugin| plugin.manifest.title())
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = match nearest {
            Some(nearest) => {
                format!("set ml_training_config.config_search_model to \"{nearest}\", or install its plugin")
            }
            None => "install a plugin that can lead the search".to_owned(),
        };
        let is_installed = families.iter().any(|plugin| plugin.manifest.answers_to(name));
        let found = if is_installed {
            "is installed, but cannot lead the search; those that can"
        } else {
            "is no installed family that can lead the search; such are"
        };
        let message = format!("config_search_model {name:?} {found}: {}{}", titles(&leads), unusable(refused));
        Failure::refused(Phase::Queued, ErrorCode::UnknownModel, message, hint)
    })
}

/// Returns the refused libraries by file name, as the end of a sentence; empty if there are none.
pub(super) fn unusable(refused: &[Refused]) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let file = |refused: &Refused| refused.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named = refused.iter().take(MAX_REFUSED);
    let named: Vec<_> = named.map(|it| format!("{} ({})", file(it), it.reason.replace('\n', "; "))).collect();
    let n_more = refused.len() - named.len();
    let more = if n_more > 0 { format!(" and {n_more} more, see `oculus-host plugin list`") } else { String::new() };
    format!("; cannot be used: {}{more}", named.join(", "))
}

/// Returns every name and flag by which the job selects a family, and the family.
pub(super) fn asked_for<'a>(
    config: &TrainingConfig,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Vec<(String, Option<&'a InstalledPlugin>)> {
    let by_name = |name: &str| families.iter().copied().find(|plugin| plugin.manifest.answers_to(name));
    let mut asked: Vec<_> = config.families.iter().map(|name| (name.clone(), by_name(name))).collect();
    for flag in config.options.keys().filter(|name| config.flag(name)) {
        let found = by_flag(flag, families, warnings);
        // Any other field that is true, and that no plugin claims, has no meaning.
        if found.is_some() || flag.starts_with(FLAG_PREFIX) {
            asked.push((flag.clone(), found));
        }
    }
    asked
}

/// Returns the family that a flag selects: of several the highest version, of equal versions the first by id. The others
/// can be selected by name.
fn by_flag<'a>(
    flag: &str,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Option<&'a InstalledPlugin> {
    let mut claims: Vec<_> = families.iter().filter(|plugin| plugin.manifest.flag.as_deref() == Some(flag)).collect();
    claims.sort_by_key(|plugin| Reverse(version(plugin)));
    let (used, left) = claims.split_first()?;
    if !left.is_empty() {
        let left: Vec<_> = left.iter().map(|plugin| named(plugin)).collect();
        let left = left.join(", ");
        let used = named(used);
        let message = format!("{flag} selects {used} and {left}; used {used}, ml_training_config.families adds others");
        warnings.push(name_taken(message));
    }
    Some(used)
}
