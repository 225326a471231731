//! Which plugins a job trains with, and with which parameters: read off the manifests, no family known by name.

mod extractor;
#[cfg(test)]
mod tests;

use oculus_job::code::ErrorCode;
use oculus_job::warning::WarningCode;
use std::cmp::Reverse;

use oculus_plugin_api::{Manifest, Param, Role};
use serde_json::{Map, Value};

use crate::discover::Refused;
use crate::installed::InstalledPlugin;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::{Job, TrainingConfig};
use oculus_job::warning::Warning;
use oculus_pipeline::participants::{Participant, Participants, SkippedFamily};

/// Prefix of the flags that ask for a family.
const FLAG_PREFIX: &str = "train_";

/// Files that cannot be used which one reason names.
const MOST_UNUSABLE: usize = 3;

/// The families of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Chosen plugins; the first leads the config search.
    pub chosen: Vec<Chosen>,
    /// Who mines the rules, or why nobody does.
    pub extractor: Result<Chosen, String>,
    /// What was asked for and is not installed.
    pub skipped: Vec<Skipped>,
    /// What a reader of the result should know: a name or a flag that two plugins claim, a parameter that is none.
    pub warnings: Vec<Warning>,
}

impl Selection {
    /// Returns the selection as the pipeline needs it.
    ///
    /// * `host_device`: device of families for which the job names none.
    pub fn participants(&self, host_device: &str) -> Participants {
        let skipped = |it: &Skipped| SkippedFamily { name: it.name.clone(), reason: it.reason.clone() };
        Participants {
            families: self.chosen.iter().map(|chosen| chosen.participant(host_device)).collect(),
            extractor: self.extractor.as_ref().map(|it| it.participant(host_device)).map_err(String::clone),
            skipped: self.skipped.iter().map(skipped).collect(),
            warnings: self.warnings.clone(),
        }
    }

    /// Rows up to and including its own that a prediction of the chosen plugins reads at most; 0 where none looks back.
    pub fn lookback_rows(&self) -> usize {
        self.chosen.iter().filter_map(Chosen::lookback_rows).max().unwrap_or(0)
    }
}

/// The parameter by which a family that has one is given a device of its own.
const DEVICE_PARAM: &str = "device";

impl Chosen {
    /// The device to work on, `auto` where nobody says: `cpu` where the host says so, else what the job says of this
    /// family, else the host's word.
    pub fn device<'a>(&'a self, of_host: &'a str) -> &'a str {
        let of_job = self.params.get(DEVICE_PARAM).and_then(Value::as_str);
        of_job.filter(|device| of_host != "cpu" && *device != "auto").unwrap_or(of_host)
    }

    /// Whether it may work on something else than the CPU.
    pub fn may_use_gpu(&self, of_host: &str) -> bool {
        self.device(of_host) != "cpu" && self.plugin.manifest.devices.iter().any(|device| device != "cpu")
    }

    fn participant(&self, host_device: &str) -> Participant {
        let manifest = &self.plugin.manifest;
        Participant {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            sha256: self.plugin.sha256.clone(),
            params: self.params.clone(),
            device: self.device(host_device).to_owned(),
        }
    }

    fn lookback_rows(&self) -> Option<usize> {
        let manifest = &self.plugin.manifest;
        let name = manifest.lookback_param.as_ref()?;
        let default = || manifest.params.iter().find(|param| param.name == *name).map(Param::default);
        let n_rows = self.params.get(name).cloned().or_else(default)?.as_u64()?;
        usize::try_from(n_rows).ok()
    }
}

/// A plugin and what the job sets of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The plugin.
    pub plugin: InstalledPlugin,
    /// Parameters that the job sets, checked, without the manifest's prefix.
    pub params: Map<String, Value>,
}

/// A family that was asked for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The name or flag that the job gave.
    pub name: String,
    /// Why nothing answers to it.
    pub reason: String,
}

/// Selects the plugins of a job.
///
/// * `refused`: libraries that cannot be used, to be named where something is missing.
///
/// # Errors
/// `unknown_model` when no installed plugin can lead the search by the asked name, `invalid_parameters` naming every
/// parameter that its family refuses.
pub fn select(job: &Job, installed: &[InstalledPlugin], refused: &[Refused]) -> Result<Selection, Failure> {
    let (families, mut warnings) = highest_versions(installed);
    let config = &job.design.ml_training_config;
    let lead = lead(&config.config_search_model, &families, refused);
    let mut chosen: Vec<_> = lead.as_ref().ok().copied().into_iter().collect();
    let mut skipped = Vec::new();
    for (asked, found) in asked_for(config, &families, &mut warnings) {
        match found {
            Some(plugin) if chosen.contains(&plugin) => {}
            Some(plugin) => chosen.push(plugin),
            None => {
                let installed = titles(&families);
                let reason =
                    format!("no installed plugin answers to {asked}; installed: {installed}{}", unusable(refused));
                skipped.push(Skipped { name: asked, reason });
            }
        }
    }
    let extractor = extractor::choose(config, installed, &mut warnings);
    let with_extractor = |plugins: &[_]| plugins.iter().copied().chain(extractor.iter().copied()).collect::<Vec<_>>();
    warnings.extend(unknown_parameters(&with_extractor(&families), &with_extractor(&chosen), config));
    // All that is wrong at once.
    let (chosen, problems): (Vec<_>, Vec<_>) = chosen.into_iter().map(|plugin| with_params(plugin, config)).unzip();
    let mut problems = problems.concat();
    let extractor = extractor.map(|plugin| {
        let (chosen, refused) = with_params(plugin, config);
        problems.extend(refused);
        chosen
    });
    problems.extend(no_flags(config));
    match (lead, problems.is_empty()) {
        (Ok(_), true) => Ok(Selection { chosen, extractor, skipped, warnings }),
        (Err(failure), _) => {
            let message = std::iter::once(failure.message.clone()).chain(problems).collect::<Vec<_>>().join("; ");
            Err(Failure { message, ..failure })
        }
        (Ok(_), false) => {
            let hint = "`oculus-host plugin list -v` shows every parameter with its range";
            Err(Failure::refused(Phase::Queued, ErrorCode::InvalidParameters, problems.join("; "), hint))
        }
    }
}

/// Model families, of those that claim one name the highest version.
fn highest_versions(installed: &[InstalledPlugin]) -> (Vec<&InstalledPlugin>, Vec<Warning>) {
    let is_family = |plugin: &&InstalledPlugin| matches!(plugin.manifest.role, Role::Tabular | Role::Sequence);
    let mut ranked: Vec<_> = installed.iter().filter(is_family).collect();
    // Stable: of equal versions the first serves.
    ranked.sort_by_key(|plugin| Reverse(version(plugin)));
    let mut families: Vec<&InstalledPlugin> = Vec::new();
    let mut warnings = Vec::new();
    for plugin in ranked {
        match families.iter().find(|kept| claims_same_name(&kept.manifest, &plugin.manifest)) {
            None => families.push(plugin),
            Some(kept) if kept.sha256 == plugin.sha256 => {}
            Some(kept) => {
                let (kept, left) = (named(kept), named(plugin));
                warnings.push(taken(format!("plugins {kept} and {left} answer to one name; used {kept}")));
            }
        }
    }
    families.sort_by_key(|kept| installed.iter().position(|plugin| std::ptr::eq(plugin, *kept)));
    (families, warnings)
}

fn claims_same_name(one: &Manifest, other: &Manifest) -> bool {
    one.names.iter().chain([&one.id]).any(|name| other.answers_to(name))
}

/// `major.minor.patch` as numbers; what is no number counts as 0.
pub fn version(plugin: &InstalledPlugin) -> Vec<u64> {
    plugin.manifest.version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn named(plugin: &InstalledPlugin) -> String {
    format!("{} {} ({})", plugin.manifest.id, plugin.manifest.version, &plugin.sha256[..plugin.sha256.len().min(12)])
}

fn titles(families: &[&InstalledPlugin]) -> String {
    let titles: Vec<_> = families.iter().map(|plugin| plugin.manifest.title()).collect();
    if titles.is_empty() { "none".to_owned() } else { titles.join(", ") }
}

/// The libraries that cannot be used, by file name, as the end of a sentence; empty where there are none.
fn unusable(refused: &[Refused]) -> String {
    let file = |refused: &Refused| refused.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = refused.iter().take(MOST_UNUSABLE);
    let told: Vec<_> =
        told.map(|refused| format!("{} ({})", file(refused), refused.reason.replace('\n', "; "))).collect();
    let n_more = refused.len() - told.len();
    let more = if n_more > 0 { format!(" and {n_more} more, see `oculus-host plugin list`") } else { String::new() };
    if told.is_empty() { String::new() } else { format!("; cannot be used: {}{more}", told.join(", ")) }
}

/// What jobs would be told of plugins that claim one name, so that whoever publishes them hears of it too.
pub fn conflicts(installed: &[InstalledPlugin]) -> Vec<String> {
    highest_versions(installed).1.into_iter().map(|warning| warning.message).collect()
}

/// A name or a flag that more than one plugin claims.
fn taken(message: String) -> Warning {
    Warning::new(WarningCode::PluginNameTaken, message)
}

fn lead<'a>(name: &str, families: &[&'a InstalledPlugin], refused: &[Refused]) -> Result<&'a InstalledPlugin, Failure> {
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
            None => "install a plugin that can lead the search, such as lightgbm".to_owned(),
        };
        let is_there = families.iter().any(|plugin| plugin.manifest.answers_to(name));
        let found = if is_there {
            "is installed, but cannot lead the search; those that can"
        } else {
            "is no installed family that can lead the search; such are"
        };
        let message = format!("config_search_model {name:?} {found}: {}{}", titles(&leads), unusable(refused));
        Failure::refused(Phase::Queued, ErrorCode::UnknownModel, message, hint)
    })
}

/// Every name and flag by which the job asks for a family, and who answers to it.
fn asked_for<'a>(
    config: &TrainingConfig,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Vec<(String, Option<&'a InstalledPlugin>)> {
    let by_name = |name: &str| families.iter().copied().find(|plugin| plugin.manifest.answers_to(name));
    let mut asked: Vec<_> = config.families.iter().map(|name| (name.clone(), by_name(name))).collect();
    let is_set = |flag: &str| config.options.get(flag).and_then(Value::as_bool).unwrap_or(false);
    for flag in config.options.keys().filter(|flag| is_set(flag)) {
        let found = by_flag(flag, families, warnings);
        // A flag that neither a plugin knows nor looks like ours is one of the fields that mean nothing.
        if found.is_some() || flag.starts_with(FLAG_PREFIX) {
            asked.push((flag.clone(), found));
        }
    }
    asked
}

/// Who a flag selects: of several the highest version, of equal ones the first by id. The others serve by name.
fn by_flag<'a>(
    flag: &str,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<Warning>,
) -> Option<&'a InstalledPlugin> {
    let mut claims: Vec<_> = families.iter().filter(|plugin| plugin.manifest.flag.as_deref() == Some(flag)).collect();
    claims.sort_by_key(|plugin| Reverse(version(plugin)));
    let (used, left) = claims.split_first()?;
    if !left.is_empty() {
        let (used, left) = (named(used), left.iter().map(|plugin| named(plugin)).collect::<Vec<_>>().join(", "));
        let message = format!("{flag} selects {used} and {left}; used {used}, ml_training_config.families adds others");
        warnings.push(taken(message));
    }
    Some(used)
}

/// Fields of the job that begin like a chosen family's parameters and are none: misspelt, most likely, and without
/// effect.
fn unknown_parameters(
    families: &[&InstalledPlugin],
    chosen: &[&InstalledPlugin],
    config: &TrainingConfig,
) -> Vec<Warning> {
    let prefix_len = |manifest: &Manifest, name: &str| {
        let prefix = manifest.prefix.as_deref().filter(|prefix| !prefix.is_empty() && name.starts_with(prefix))?;
        Some(prefix.len())
    };
    let unknown = |name: &String| {
        // Of `nn_` and `nn_deep_` the longer one means the field.
        let owner = families.iter().max_by_key(|plugin| prefix_len(&plugin.manifest, name))?;
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

/// The parameters that the job sets of a chosen plugin, all problems at once.
fn with_params(plugin: &InstalledPlugin, config: &TrainingConfig) -> (Chosen, Vec<String>) {
    let prefix = plugin.manifest.prefix.as_deref().unwrap_or_default();
    let (mut params, mut problems) = (Map::new(), Vec::new());
    for param in &plugin.manifest.params {
        match set_by_job(param, prefix, config) {
            Some(Ok(value)) => _ = params.insert(param.name.clone(), value),
            Some(Err(problem)) => problems.push(format!("ml_training_config.{prefix}{problem}")),
            None => {}
        }
    }
    (Chosen { plugin: plugin.clone(), params }, problems)
}

/// Fields that look like flags and are neither true nor false.
fn no_flags(config: &TrainingConfig) -> impl Iterator<Item = String> {
    let flags = config.options.iter().filter(|(name, value)| name.starts_with(FLAG_PREFIX) && !value.is_null());
    flags
        .filter(|(_, value)| !value.is_boolean())
        .map(|(name, value)| format!("ml_training_config.{name}: found {value}, needed true or false"))
}

/// A parameter without a prefix of its plugin can be set by no job: it would be anybody's.
fn set_by_job(param: &Param, prefix: &str, config: &TrainingConfig) -> Option<Result<Value, String>> {
    let value = (!prefix.is_empty()).then(|| config.options.get(&format!("{prefix}{}", param.name)))??;
    Some(param.check(value))
}
