//! Which plugins a job trains with, and with which parameters: read off the manifests, no family known by name.

use std::cmp::Reverse;

use oculus_plugin_api::{Manifest, Param, Role};
use serde_json::{Map, Value};

use crate::job::failure::Failure;
use crate::job::progress::Phase;
use crate::job::request::{Job, TrainingConfig};
use crate::plugins::InstalledPlugin;

/// Prefix of the flags that ask for a family.
const FLAG_PREFIX: &str = "train_";

/// The families of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Chosen plugins; the first leads the config search.
    pub chosen: Vec<Chosen>,
    /// What was asked for and is not installed.
    pub skipped: Vec<Skipped>,
    /// What a reader of the result should know: a name or a flag that two plugins claim.
    pub warnings: Vec<String>,
}

impl Selection {
    /// Rows up to and including its own that a prediction of the chosen plugins reads at most; 0 where none looks back.
    pub fn lookback_rows(&self) -> usize {
        self.chosen.iter().filter_map(Chosen::lookback_rows).max().unwrap_or(0)
    }
}

impl Chosen {
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
/// # Errors
/// `unknown_model` when no installed plugin can lead the search by the asked name, `invalid_parameters` naming every
/// parameter that its family refuses.
pub fn select(job: &Job, installed: &[InstalledPlugin]) -> Result<Selection, Failure> {
    let (families, mut warnings) = highest_versions(installed);
    let config = &job.design.ml_training_config;
    let mut chosen = vec![lead(&config.config_search_model, &families)?];
    let mut skipped = Vec::new();
    for (asked, found) in asked_for(config, &families, &mut warnings) {
        match found {
            Some(plugin) if chosen.contains(&plugin) => {}
            Some(plugin) => chosen.push(plugin),
            None => {
                let reason = format!("no installed plugin answers to {asked}; installed: {}", titles(&families));
                skipped.push(Skipped { name: asked, reason });
            }
        }
    }
    let chosen = with_params(chosen, config)?;
    Ok(Selection { chosen, skipped, warnings })
}

/// Model families, of those that claim one name the highest version.
fn highest_versions(installed: &[InstalledPlugin]) -> (Vec<&InstalledPlugin>, Vec<String>) {
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
                warnings.push(format!("plugins {kept} and {left} answer to one name; used {kept}"));
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
pub(crate) fn version(plugin: &InstalledPlugin) -> Vec<u64> {
    plugin.manifest.version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn named(plugin: &InstalledPlugin) -> String {
    format!("{} {} ({})", plugin.manifest.id, plugin.manifest.version, &plugin.sha256[..plugin.sha256.len().min(12)])
}

fn titles(families: &[&InstalledPlugin]) -> String {
    let titles: Vec<_> = families.iter().map(|plugin| plugin.manifest.title()).collect();
    if titles.is_empty() { "none".to_owned() } else { titles.join(", ") }
}

fn lead<'a>(name: &str, families: &[&'a InstalledPlugin]) -> Result<&'a InstalledPlugin, Failure> {
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
        let message = format!(
            "config_search_model {name:?} is no installed family that can lead the search; such are: {}",
            titles(&leads)
        );
        Failure::refused(Phase::Queued, "unknown_model", message, hint)
    })
}

/// Every name and flag by which the job asks for a family, and who answers to it.
fn asked_for<'a>(
    config: &TrainingConfig,
    families: &[&'a InstalledPlugin],
    warnings: &mut Vec<String>,
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
    warnings: &mut Vec<String>,
) -> Option<&'a InstalledPlugin> {
    let mut claims: Vec<_> = families.iter().filter(|plugin| plugin.manifest.flag.as_deref() == Some(flag)).collect();
    claims.sort_by_key(|plugin| Reverse(version(plugin)));
    let (used, left) = claims.split_first()?;
    if !left.is_empty() {
        let (used, left) = (named(used), left.iter().map(|plugin| named(plugin)).collect::<Vec<_>>().join(", "));
        warnings
            .push(format!("{flag} selects {used} and {left}; used {used}, ml_training_config.families adds others"));
    }
    Some(used)
}

/// The parameters that the job sets of each chosen plugin, all problems at once.
fn with_params(chosen: Vec<&InstalledPlugin>, config: &TrainingConfig) -> Result<Vec<Chosen>, Failure> {
    let mut problems = Vec::new();
    let chosen = chosen
        .into_iter()
        .map(|plugin| {
            let prefix = plugin.manifest.prefix.as_deref().unwrap_or_default();
            let mut params = Map::new();
            for param in &plugin.manifest.params {
                match set_by_job(param, prefix, config) {
                    Some(Ok(value)) => _ = params.insert(param.name.clone(), value),
                    Some(Err(problem)) => problems.push(format!("ml_training_config.{prefix}{problem}")),
                    None => {}
                }
            }
            Chosen { plugin: plugin.clone(), params }
        })
        .collect();
    if problems.is_empty() {
        return Ok(chosen);
    }
    let hint = "`oculus-host plugin list -v` shows every parameter with its range";
    Err(Failure::refused(Phase::Queued, "invalid_parameters", problems.join("; "), hint))
}

/// A parameter without a prefix of its plugin can be set by no job: it would be anybody's.
fn set_by_job(param: &Param, prefix: &str, config: &TrainingConfig) -> Option<Result<Value, String>> {
    let value = (!prefix.is_empty()).then(|| config.options.get(&format!("{prefix}{}", param.name)))??;
    Some(param.check(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn installed(manifest: Manifest) -> InstalledPlugin {
        InstalledPlugin { path: format!("/plugins/{}", manifest.id).into(), sha256: manifest.version.clone(), manifest }
    }

    fn shelf() -> Vec<InstalledPlugin> {
        let rate = Param::float("rate", 0.1).range(0.0, 1.0);
        vec![
            installed(
                Manifest::new("trees", "1.0.0").named(["Trees", "gbdt"]).prefixed("tree_").param(rate).leads_search(),
            ),
            installed(
                Manifest::new("recurrent", "1.0.0").named(["Recurrent"]).role(Role::Sequence).selected_by("train_rnn"),
            ),
            installed(Manifest::new("miner", "1.0.0").named(["Miner"]).role(Role::Rules)),
        ]
    }

    fn job(config: Value) -> Job {
        let payload = json!({"build_id": "b", "symbols": ["AAPL"], "design": {"ml_training_config": config}});
        Job::parse(&payload.to_string()).unwrap()
    }

    fn ids(selection: &Selection) -> Vec<&str> {
        selection.chosen.iter().map(|chosen| chosen.plugin.manifest.id.as_str()).collect()
    }

    #[test]
    fn the_lead_answers_to_any_spelling_of_its_names() {
        for name in ["Trees", "GBDT", "trees"] {
            let selection = select(&job(json!({"config_search_model": name})), &shelf()).unwrap();
            assert_eq!(ids(&selection), ["trees"]);
        }
    }

    #[test]
    fn an_unknown_lead_is_refused_with_the_nearest_that_is_installed() {
        let failure = select(&job(json!({"config_search_model": "Treees"})), &shelf()).unwrap_err();
        assert_eq!(failure.code, "unknown_model");
        assert!(failure.message.contains("\"Treees\"") && failure.hint.contains("\"Trees\""), "{failure:?}");
    }

    #[test]
    fn a_family_that_cannot_lead_is_no_lead() {
        let failure = select(&job(json!({"config_search_model": "Recurrent"})), &shelf()).unwrap_err();
        assert_eq!(failure.code, "unknown_model");
    }

    #[test]
    fn the_longest_window_of_the_chosen_families_counts_and_that_of_a_missing_one_does_not() {
        let window = Param::int("window", 40).range(1, 1000);
        let mut shelf = shelf();
        let windowed = Manifest::new("windowed", "1.0.0").selected_by("train_windowed").prefixed("win_").param(window);
        shelf.push(installed(windowed.lookback_param("window")));
        let lookback = |config| select(&job(config), &shelf).unwrap().lookback_rows();
        let lead = |fields: Value| {
            let mut config = json!({"config_search_model": "trees", "lstm_sequence_length": 900});
            config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            config
        };
        assert_eq!(lookback(lead(json!({}))), 0);
        assert_eq!(lookback(lead(json!({"train_lstm": true}))), 0, "a family that is not installed changes nothing");
        assert_eq!(lookback(lead(json!({"train_windowed": true}))), 40, "the plugin's default");
        assert_eq!(lookback(lead(json!({"train_windowed": true, "win_window": "60"}))), 60);
    }

    #[test]
    fn flags_and_names_add_families_and_what_is_missing_is_skipped_with_the_reason() {
        let config =
            json!({"config_search_model": "trees", "train_rnn": true, "train_lstm": true, "families": ["knn"]});
        let selection = select(&job(config), &shelf()).unwrap();
        assert_eq!(ids(&selection), ["trees", "recurrent"]);
        let skipped: Vec<_> = selection.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
        assert_eq!(skipped, ["knn", "train_lstm"]);
        assert!(selection.skipped[0].reason.contains("installed: Trees, Recurrent"), "{:?}", selection.skipped);
    }

    #[test]
    fn a_parameter_out_of_range_is_refused_by_its_full_name() {
        let failure = select(&job(json!({"config_search_model": "trees", "tree_rate": 7})), &shelf()).unwrap_err();
        assert_eq!(failure.message, "ml_training_config.tree_rate: found 7, needed a number from 0 to 1");
    }

    #[test]
    fn of_two_plugins_with_one_name_the_higher_version_serves_and_the_other_is_reported() {
        let mut shelf = shelf();
        shelf.push(installed(Manifest::new("trees2", "1.10.0").named(["Trees"]).leads_search()));
        shelf.push(installed(Manifest::new("trees", "1.9.0").named(["Trees"]).leads_search()));
        let selection = select(&job(json!({"config_search_model": "Trees"})), &shelf).unwrap();
        assert_eq!(ids(&selection), ["trees2"]);
        assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
    }

    #[test]
    fn every_plugin_that_claims_a_taken_name_is_left_out_whatever_the_order() {
        // The strongest shares a name with each of two others, which share none with each other.
        let plugin = |id, version, names: [&str; 2]| installed(Manifest::new(id, version).named(names).leads_search());
        let shelf = [
            plugin("a", "1.0.0", ["One", "Alpha"]),
            plugin("b", "1.1.0", ["Two", "Beta"]),
            plugin("c", "2.0.0", ["One", "Two"]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let shelf = order.map(|idx| shelf[idx].clone());
            let selection = select(&job(json!({"config_search_model": "Two", "families": ["Alpha"]})), &shelf).unwrap();
            assert_eq!(ids(&selection), ["c"]);
            assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
            assert_eq!(selection.skipped.len(), 1);
        }
    }

    #[test]
    fn of_two_plugins_with_one_flag_the_higher_version_serves_and_the_other_is_reported_and_had_by_name() {
        let mut shelf = shelf();
        shelf.push(installed(Manifest::new("rival", "1.0.1").role(Role::Sequence).selected_by("train_rnn")));
        let asked = |config| select(&job(config), &shelf).unwrap();
        let selection = asked(json!({"config_search_model": "trees", "train_rnn": true}));
        assert_eq!(ids(&selection), ["trees", "rival"]);
        let told = "train_rnn selects rival 1.0.1 (1.0.1) and recurrent 1.0.0 (1.0.0); used rival";
        assert!(selection.warnings[0].starts_with(told) && selection.warnings.len() == 1, "{:?}", selection.warnings);

        let both = asked(json!({"config_search_model": "trees", "train_rnn": true, "families": ["recurrent"]}));
        assert_eq!(ids(&both), ["trees", "recurrent", "rival"]);
        let unasked = asked(json!({"config_search_model": "trees"}));
        assert!(unasked.warnings.is_empty(), "{:?}", unasked.warnings);
    }
}
