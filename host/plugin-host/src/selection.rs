//! Selects the plugins of a job and their parameters, based on the manifests. The code of the
//! selection contains no family names.

mod chosen;
mod extractor;
mod families;
mod naming;
mod params;
#[cfg(test)]
mod tests;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::Job;
use oculus_job::warning::Warning;
use oculus_pipeline::participants::{Participants, SkippedFamily};

pub use self::chosen::ChosenPlugin;
pub use self::naming::version;
use crate::discover::RefusedLibrary;
use crate::installed::InstalledPlugin;

/// The plugins of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The selected model families. The first one is the lead family of the config search.
    pub chosen: Vec<ChosenPlugin>,
    /// The family that every job reports as a baseline, if one is installed and not chosen.
    pub baseline: Option<ChosenPlugin>,
    /// The rule extractor, or the reason why there is none.
    pub extractor: Result<ChosenPlugin, String>,
    /// Families that the job requests but that are not installed.
    pub skipped: Vec<SkippedFamily>,
    /// Warnings about names or flags that two plugins claim, and about job fields that are not
    /// parameters of any plugin.
    pub warnings: Vec<Warning>,
}

impl Selection {
    /// Converts the selection to the type that the pipeline uses.
    ///
    /// * `host_device`: device of each family for which the job sets no device.
    pub fn participants(&self, host_device: &str) -> Participants {
        Participants {
            families: self.chosen.iter().map(|chosen| chosen.participant(host_device)).collect(),
            baseline: self.baseline.as_ref().map(|baseline| baseline.participant(host_device)),
            extractor: self.extractor.as_ref().map(|chosen| chosen.participant(host_device)).map_err(String::clone),
            skipped: self.skipped.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Returns the maximum number of rows that a prediction of the selected families reads,
    /// including the predicted row. Returns 0 if no family reads earlier rows.
    pub fn lookback_rows(&self) -> usize {
        self.chosen.iter().filter_map(ChosenPlugin::lookback_rows).max().unwrap_or(0)
    }
}

/// Selects the plugins of a job.
///
/// * `refused`: libraries that cannot be used. A message about a missing plugin lists these
///   libraries, because one of them may be the missing plugin.
///
/// # Errors
/// Returns `unknown_model` if no installed plugin with the given name can lead the config search,
/// and `invalid_parameters` if a plugin rejects a parameter or a flag is neither true nor false.
/// The error lists all problems.
pub fn select(job: &Job, installed: &[InstalledPlugin], refused: &[RefusedLibrary]) -> Result<Selection, JobError> {
    let (families, mut warnings) = families::highest_versions(installed);
    let config = &job.design.ml_training_config;
    let search_family = families::search_family(&config.config_search_model, &families, refused);
    let mut chosen: Vec<_> = search_family.as_ref().ok().copied().into_iter().collect();
    let mut skipped = Vec::new();
    for (name, found) in families::requested(config, &families, &mut warnings) {
        match found {
            Some(plugin) if chosen.contains(&plugin) => {}
            Some(plugin) => chosen.push(plugin),
            None => {
                let installed = naming::titles(&families);
                let unusable = families::unusable(refused);
                let reason = format!("no installed plugin matches {name}; installed: {installed}{unusable}");
                skipped.push(SkippedFamily { name, reason });
            }
        }
    }
    let baseline = families.iter().copied().find(|plugin| plugin.manifest.baseline && !chosen.contains(plugin));
    let extractor = extractor::choose(config, installed, &mut warnings);
    let with_extractor = |plugins: &[_]| plugins.iter().copied().chain(extractor.iter().copied()).collect::<Vec<_>>();
    let with_baseline: Vec<_> = chosen.iter().copied().chain(baseline).collect();
    warnings.extend(params::unknown_parameters(&with_extractor(&families), &with_extractor(&with_baseline), config));
    // All problems of the job are reported in one failure, so that a user can fix them together.
    let (chosen, problems): (Vec<_>, Vec<_>) =
        chosen.into_iter().map(|plugin| params::with_params(plugin, config)).unzip();
    let mut problems = problems.concat();
    let extractor = extractor.map(|plugin| {
        let (chosen, refused) = params::with_params(plugin, config);
        problems.extend(refused);
        chosen
    });
    let baseline = baseline.map(|plugin| {
        let (chosen, refused) = params::with_params(plugin, config);
        problems.extend(refused);
        chosen
    });
    problems.extend(params::flag_problems(config));
    if let Err(failure) = search_family {
        let message = std::iter::once(failure.message.clone()).chain(problems).collect::<Vec<_>>().join("; ");
        return Err(JobError { message, ..failure });
    }
    if !problems.is_empty() {
        let hint = "`oculus-host plugin list -v` shows every parameter with its range";
        return Err(JobError::refused(Phase::Queued, ErrorCode::InvalidParameters, problems.join("; "), hint));
    }
    Ok(Selection { chosen, baseline, extractor, skipped, warnings })
}

/// Returns the warnings that jobs would report about plugins with the same name, so that a
/// publisher sees them early.
pub fn conflicts(installed: &[InstalledPlugin]) -> Vec<String> {
    let (_, warnings) = families::highest_versions(installed);
    warnings.into_iter().map(|warning| warning.message).collect()
}
