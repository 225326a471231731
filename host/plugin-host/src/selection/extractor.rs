//! Which plugin mines a job's rules: the one it names, else one whose flag it sets, else one that has no flag.

use std::cmp::Reverse;

use oculus_job::request::TrainingConfig;
use oculus_job::warning::Warning;
use oculus_plugin_api::Role;

use super::naming::{name_taken, named, titles, version};
use crate::installed::InstalledPlugin;

/// Returns the extractor of a job: of several the highest version, of equal versions the first by id.
///
/// # Errors
/// Why there is none, for people.
pub(super) fn choose<'a>(
    config: &TrainingConfig,
    installed: &'a [InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Result<&'a InstalledPlugin, String> {
    let mut all: Vec<_> = installed.iter().filter(|plugin| plugin.manifest.role == Role::Rules).collect();
    all.sort_by_key(|plugin| Reverse(version(plugin)));
    if let Some(name) = &config.rule_extractor {
        let found = all.iter().copied().find(|plugin| plugin.manifest.answers_to(name));
        return found.ok_or_else(|| {
            format!("rule_extractor {name:?} is no installed rule extractor; installed: {}", titles(&all))
        });
    }
    let flagged =
        all.iter().copied().filter(|plugin| plugin.manifest.flag.as_deref().is_some_and(|flag| config.flag(flag)));
    let plain = all.iter().copied().filter(|plugin| plugin.manifest.flag.is_none());
    let candidates: Vec<_> = flagged.chain(plain).collect();
    let (used, others) = candidates.split_first().ok_or("no rule extractor is installed")?;
    let rivals: Vec<_> = others.iter().filter(|other| other.manifest.flag == used.manifest.flag).collect();
    if let Some(rival) = rivals.iter().find(|rival| rival.sha256 != used.sha256) {
        let used = named(used);
        let rival = named(rival);
        warnings.push(name_taken(format!(
            "rule extractors {used} and {rival} are installed; used {used}, ml_training_config.rule_extractor names one"
        )));
    }
    Ok(used)
}
