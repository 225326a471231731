//! Which plugins a job trains with, and with which parameters: read from the manifests, no family known by name.

mod chosen;
mod extractor;
mod families;
mod naming;
mod params;
#[cfg(test)]
mod tests;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::Job;
use oculus_job::warning::Warning;
use oculus_pipeline::participants::{Participants, SkippedFamily};

pub use self::chosen::Chosen;
pub use self::naming::version;
use crate::discover::Refused;
use crate::installed::InstalledPlugin;

/// The families of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Chosen plugins; the first leads the config search.
    pub chosen: Vec<Chosen>,
    /// The plugin that mines the rules, or why there is none.
    pub extractor: Result<Chosen, String>,
    /// Families that the job selects and that are not installed.
    pub skipped: Vec<SkippedFamily>,
    /// A name or a flag that two plugins claim, or a parameter that does not exist.
    pub warnings: Vec<Warning>,
}

impl Selection {
    /// Returns the selection as the pipeline needs it.
    ///
    /// * `host_device`: device of families for which the job names none.
    pub fn participants(&self, host_device: &str) -> Participants {
        Participants {
            families: self.chosen.iter().map(|chosen| chosen.participant(host_device)).collect(),
            extractor: self.extractor.as_ref().map(|it| it.participant(host_device)).map_err(String::clone),
            skipped: self.skipped.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Returns how many rows, up to and including the predicted one, a prediction of the chosen plugins reads at most; 0
    /// if none reads an earlier row.
    pub fn lookback_rows(&self) -> usize {
        self.chosen.iter().filter_map(Chosen::lookback_rows).max().unwrap_or(0)
    }
}

/// Selects the plugins of a job.
///
/// * `refused`: libraries that cannot be used, to be named where something is missing.
///
/// # Errors
/// `unknown_model` if no installed plugin can lead the search by the given name, `invalid_parameters` naming every
/// parameter that its family refuses.
pub fn select(job: &Job, installed: &[InstalledPlugin], refused: &[Refused]) -> Result<Selection, Failure> {
    let (families, mut warnings) = families::highest_versions(installed);
    let config = &job.design.ml_training_config;
    let lead = families::lead(&config.config_search_model, &families, refused);
    let mut chosen: Vec<_> = lead.as_ref().ok().copied().into_iter().collect();
    let mut skipped = Vec::new();
    for (name, found) in families::asked_for(config, &families, &mut warnings) {
        match found {
            Some(plugin) if chosen.contains(&plugin) => {}
            Some(plugin) => chosen.push(plugin),
            None => {
                let installed = naming::titles(&families);
                let unusable = families::unusable(refused);
                let reason = format!("no installed plugin answers to {name}; installed: {installed}{unusable}");
                skipped.push(SkippedFamily { name, reason });
            }
        }
    }
    let extractor = extractor::choose(config, installed, &mut warnings);
    let with_extractor = |plugins: &[_]| plugins.iter().copied().chain(extractor.iter().copied()).collect::<Vec<_>>();
    warnings.extend(params::unknown_parameters(&with_extractor(&families), &with_extractor(&chosen), config));
    // Every problem of the job in one failure.
    let (chosen, problems): (Vec<_>, Vec<_>) =
        chosen.into_iter().map(|plugin| params::with_params(plugin, config)).unzip();
    let mut problems = problems.concat();
    let extractor = extractor.map(|plugin| {
        let (chosen, refused) = params::with_params(plugin, config);
        problems.extend(refused);
        chosen
    });
    problems.extend(params::flag_problems(config));
    if let Err(failure) = lead {
        let message = std::iter::once(failure.message.clone()).chain(problems).collect::<Vec<_>>().join("; ");
        return Err(Failure { message, ..failure });
    }
    if !problems.is_empty() {
        let hint = "`oculus-host plugin list -v` shows every parameter with its range";
        return Err(Failure::refused(Phase::Queued, ErrorCode::InvalidParameters, problems.join("; "), hint));
    }
    Ok(Selection { chosen, extractor, skipped, warnings })
}

/// Returns the warnings that jobs get about plugins that claim one name, for the user who publishes the plugins.
pub fn conflicts(installed: &[InstalledPlugin]) -> Vec<String> {
    let (_, warnings) = families::highest_versions(installed);
    warnings.into_iter().map(|warning| warning.message).collect()
}
