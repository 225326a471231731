//! Selects the rule extractor of a job. The order of precedence is: the extractor that the job
//! names, then extractors whose flag the job sets, then extractors without a flag.

use std::cmp::Reverse;

use oculus_job::request::TrainingConfig;
use oculus_job::warning::Warning;
use oculus_plugin_api::Role;

use super::naming::{display_name, name_taken, titles, version};
use crate::installed::InstalledPlugin;

/// Returns the rule extractor of a job. If several extractors match, returns the one with the
/// highest version. Among equal versions, the first id wins.
///
/// # Errors
/// Returns the reason why the job has no rule extractor, as text for people.
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
            format!(
                "ml_training_config.rule_extractor: found {name:?}, expected an installed rule extractor: {}",
                titles(&all)
            )
        });
    }
    let flagged =
        all.iter().copied().filter(|plugin| plugin.manifest.flag.as_deref().is_some_and(|flag| config.flag(flag)));
    let plain = all.iter().copied().filter(|plugin| plugin.manifest.flag.is_none());
    let candidates: Vec<_> = flagged.chain(plain).collect();
    let (used, others) = candidates.split_first().ok_or("no rule extractor is installed")?;
    // An extractor that was selected by its flag conflicts only with extractors that have the same
    // flag.
    let rivals: Vec<_> = others.iter().filter(|other| other.manifest.flag == used.manifest.flag).collect();
    if let Some(rival) = rivals.iter().find(|rival| rival.sha256 != used.sha256) {
        let used = display_name(used);
        let rival = display_name(rival);
        warnings.push(name_taken(format!(
            "rule extractors {used} and {rival} are installed; used {used}; to select another one, \
             set ml_training_config.rule_extractor"
        )));
    }
    Ok(used)
}
