use oculus_job::warning::WarningCode;
use oculus_plugin_api::{Manifest, Param, Role};
use serde_json::{Value, json};

use super::*;

fn installed(manifest: Manifest) -> InstalledPlugin {
    let path = std::path::PathBuf::from(format!("/plugins/{}", manifest.id));
    let sha256 = manifest.version.clone();
    InstalledPlugin {
        source: path.clone(),
        path,
        sha256,
        file_id: None,
        generation: 1,
        library_dirs: Vec::new(),
        manifest,
    }
}

fn rate_param() -> Param {
    Param::float("rate", 0.1).range(0.0, 1.0)
}

fn installed_plugins() -> Vec<InstalledPlugin> {
    vec![
        installed(
            Manifest::new("trees", "1.0.0")
                .named(["Trees", "gbdt"])
                .prefixed("tree_")
                .param(rate_param())
                .leads_search(),
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
fn config_search_model_accepts_every_name_of_a_family_in_any_case() {
    for name in ["Trees", "GBDT", "trees"] {
        let selection = select(&job(json!({"config_search_model": name})), &installed_plugins(), &[]).unwrap();
        assert_eq!(ids(&selection), ["trees"]);
    }
}

#[test]
fn an_unknown_config_search_model_is_rejected_with_the_most_similar_installed_one() {
    let failure = select(&job(json!({"config_search_model": "Treees"})), &installed_plugins(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    assert!(failure.message.contains("\"Treees\"") && failure.hint.contains("\"Trees\""), "{failure:?}");
}

#[test]
fn a_family_that_cannot_lead_the_search_is_rejected_as_config_search_model() {
    let failure = select(&job(json!({"config_search_model": "Recurrent"})), &installed_plugins(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
}

#[test]
fn the_longest_window_of_the_selected_families_is_used_and_that_of_a_missing_one_is_ignored() {
    let window = Param::int("window", 40).range(1, 1000);
    let mut plugins = installed_plugins();
    let windowed = Manifest::new("windowed", "1.0.0").selected_by("train_windowed").prefixed("win_").param(window);
    plugins.push(installed(windowed.lookback_param("window")));
    let lookback = |config| select(&job(config), &plugins, &[]).unwrap().lookback_rows();
    let lead = |fields: Value| {
        let mut config = json!({"config_search_model": "trees", "lstm_sequence_length": 900});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        config
    };
    assert_eq!(lookback(lead(json!({}))), 0);
    assert_eq!(lookback(lead(json!({"train_lstm": true}))), 0, "a family that is not installed has no effect");
    assert_eq!(lookback(lead(json!({"train_windowed": true}))), 40, "the plugin's default");
    assert_eq!(lookback(lead(json!({"train_windowed": true, "win_window": "60"}))), 60);
}

#[test]
fn flags_and_names_add_families_and_missing_families_are_skipped_with_a_reason() {
    let config = json!({"config_search_model": "trees", "train_rnn": true, "train_lstm": true, "families": ["knn"]});
    let selection = select(&job(config), &installed_plugins(), &[]).unwrap();
    assert_eq!(ids(&selection), ["trees", "recurrent"]);
    let skipped: Vec<_> = selection.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(skipped, ["knn", "train_lstm"]);
    let reason = &selection.skipped[0].reason;
    assert!(["knn", "Trees", "Recurrent"].iter().all(|name| reason.contains(name)), "{reason}");
}

#[test]
fn a_parameter_out_of_range_is_rejected_with_its_full_name() {
    let failure =
        select(&job(json!({"config_search_model": "trees", "tree_rate": 7})), &installed_plugins(), &[]).unwrap_err();
    let problem = rate_param().check(&json!(7)).unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidParameters);
    assert_eq!(failure.message, format!("ml_training_config.tree_{problem}"));
}

#[test]
fn the_higher_version_of_two_plugins_with_one_name_is_used_and_the_other_is_reported() {
    let mut plugins = installed_plugins();
    plugins.push(installed(Manifest::new("trees2", "1.10.0").named(["Trees"]).leads_search()));
    plugins.push(installed(Manifest::new("trees", "1.9.0").named(["Trees"]).leads_search()));
    let selection = select(&job(json!({"config_search_model": "Trees"})), &plugins, &[]).unwrap();
    assert_eq!(ids(&selection), ["trees2"]);
    assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
}

#[test]
fn every_plugin_that_claims_a_taken_name_is_ignored_in_any_order() {
    // The plugin with the highest version shares a name with each of the other two. Those two share
    // no name.
    let plugin = |id, version, names: [&str; 2]| installed(Manifest::new(id, version).named(names).leads_search());
    let plugins = [
        plugin("a", "1.0.0", ["One", "Alpha"]),
        plugin("b", "1.1.0", ["Two", "Beta"]),
        plugin("c", "2.0.0", ["One", "Two"]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let plugins = order.map(|idx| plugins[idx].clone());
        let selection =
            select(&job(json!({"config_search_model": "Two", "families": ["Alpha"]})), &plugins, &[]).unwrap();
        assert_eq!(ids(&selection), ["c"]);
        assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
        assert_eq!(selection.skipped.len(), 1);
    }
}

#[test]
fn the_higher_version_of_two_plugins_with_one_flag_is_used_and_the_other_can_be_selected_by_name() {
    let mut plugins = installed_plugins();
    plugins.push(installed(Manifest::new("rival", "1.0.1").role(Role::Sequence).selected_by("train_rnn")));
    let select = |config| super::select(&job(config), &plugins, &[]).unwrap();
    let selection = select(json!({"config_search_model": "trees", "train_rnn": true}));
    assert_eq!(ids(&selection), ["trees", "rival"]);
    let [warning] = &selection.warnings[..] else { panic!("{:?}", selection.warnings) };
    assert_eq!(warning.code, WarningCode::PluginNameTaken);
    let expected = "train_rnn selects rival 1.0.1 (1.0.1) and recurrent 1.0.0 (1.0.0); used rival";
    assert!(warning.message.starts_with(expected), "{}", warning.message);

    let both = select(json!({"config_search_model": "trees", "train_rnn": true, "families": ["recurrent"]}));
    assert_eq!(ids(&both), ["trees", "recurrent", "rival"]);
    let unselected = select(json!({"config_search_model": "trees"}));
    assert!(unselected.warnings.is_empty(), "{:?}", unselected.warnings);
}

#[test]
fn a_missing_family_is_reported_with_the_libraries_that_cannot_be_used() {
    let refused = [RefusedLibrary { path: "/plugins/x/librnn.so".into(), reason: "needs `libtorch.so`".to_owned() }];
    let config = json!({"config_search_model": "trees", "train_lstm": true});
    let selection = select(&job(config), &installed_plugins(), &refused).unwrap();
    let expected = "installed: Trees, Recurrent; cannot be used: librnn.so (needs `libtorch.so`)";
    assert!(selection.skipped[0].reason.ends_with(expected), "{:?}", selection.skipped);
    let failure = select(&job(json!({"config_search_model": "Forest"})), &installed_plugins(), &refused).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    assert!(failure.message.ends_with(&families::unusable(&refused)), "{failure:?}");
}

/// Returns two families with parameters. The prefix of one family begins with the prefix of the
/// other family.
fn nets() -> Vec<InstalledPlugin> {
    let size = || Param::int("hidden_size", 64).range(1, 1024);
    let device = Param::choice("device", "auto", ["auto", "cpu", "cuda"]);
    let net = Manifest::new("net", "1.0.0").prefixed("nn_").param(size()).leads_search();
    let deep = Manifest::new("deep", "1.0.0").prefixed("nn_deep_").param(size()).param(device);
    vec![installed(net), installed(deep.devices(["cpu", "cuda"]))]
}

#[test]
fn an_unknown_config_search_model_is_reported_together_with_all_other_problems() {
    let config = json!({"config_search_model": "Forest", "families": ["deep"], "nn_deep_hidden_size": 0,
        "train_transformer": "true"});
    let failure = select(&job(config), &nets(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    for part in ["\"Forest\"", "ml_training_config.nn_deep_hidden_size:", "ml_training_config.train_transformer:"] {
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}

#[test]
fn an_installed_family_that_cannot_lead_has_another_message_than_a_missing_one() {
    let refusal = |name: &str| select(&job(json!({"config_search_model": name})), &nets(), &[]).unwrap_err();
    let installed = refusal("deep");
    let missing = refusal("Forest");
    assert_eq!((installed.code, missing.code), (ErrorCode::UnknownModel, ErrorCode::UnknownModel));
    assert!(installed.message.contains("\"deep\"") && installed.hint.contains("\"net\""), "{installed:?}");
    assert_ne!(installed.message.replace("deep", "Forest"), missing.message);
}

#[test]
fn without_a_family_that_can_lead_the_search_the_hint_does_not_name_one() {
    let miner = installed(Manifest::new("miner", "1.0.0").named(["Miner"]).role(Role::Rules));
    let failure = select(&job(json!({"config_search_model": "Forest"})), &[miner], &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    assert!(["Forest", "Miner", "lightgbm"].iter().all(|name| !failure.hint.contains(name)), "{failure:?}");
}

#[test]
fn invalid_parameters_of_all_families_are_reported_together() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_hidden_size": 0,
        "nn_deep_hidden_size": 4096, "nn_deep_device": "tpu"});
    let failure = select(&job(config), &nets(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidParameters);
    for name in ["nn_hidden_size", "nn_deep_hidden_size", "nn_deep_device"] {
        assert!(failure.message.contains(&format!("ml_training_config.{name}:")), "{}", failure.message);
    }
    assert_eq!(failure.message.matches("ml_training_config.").count(), 3, "{}", failure.message);
}

#[test]
fn a_misspelt_parameter_is_reported_with_the_most_similar_one_of_its_family() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_hiden_size": 3, "other": 1});
    let warnings = select(&job(config), &nets(), &[]).unwrap().warnings;
    let expected = "ml_training_config.nn_deep_hiden_size is not a parameter of deep and has no effect; the most similar \
                    one is nn_deep_hidden_size";
    assert_eq!(warnings, [Warning::new(WarningCode::UnknownParameter, expected)]);
    let config = json!({"config_search_model": "net", "nn_deep_hiden_size": 3});
    assert!(select(&job(config), &nets(), &[]).unwrap().warnings.is_empty(), "the family is not selected");
}

#[test]
fn a_family_uses_the_device_of_the_job_unless_the_host_is_limited_to_the_cpu() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_device": "cuda"});
    let chosen = select(&job(config), &nets(), &[]).unwrap().chosen;
    let net = &chosen[0];
    let deep = &chosen[1];
    assert_eq!((deep.device("auto"), deep.device("cpu"), net.device("auto")), ("cuda", "cpu", "auto"));
    assert!(deep.may_use_gpu("auto") && !deep.may_use_gpu("cpu") && !net.may_use_gpu("auto"));
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_device": "cpu"});
    assert!(!select(&job(config), &nets(), &[]).unwrap().chosen[1].may_use_gpu("auto"));
}

fn depth_param() -> Param {
    Param::int("depth", 2).range(1, 4)
}

/// Returns the plugins of [`installed_plugins`], a second extractor without a flag, and an
/// extractor that a flag selects.
fn miners() -> Vec<InstalledPlugin> {
    let mut plugins = installed_plugins();
    plugins.push(installed(Manifest::new("digger", "1.10.0").role(Role::Rules).prefixed("dig_").param(depth_param())));
    plugins.push(installed(Manifest::new("sieve", "1.0.1").named(["Sieve"]).role(Role::Rules).selected_by("sift")));
    plugins
}

fn with_trees(mut config: Value) -> Job {
    config.as_object_mut().unwrap().insert("config_search_model".to_owned(), json!("trees"));
    job(config)
}

fn extractor_id(selection: &Selection) -> Result<&str, &str> {
    selection.extractor.as_ref().map(|chosen| chosen.plugin.manifest.id.as_str()).map_err(String::as_str)
}

#[test]
fn a_named_extractor_precedes_a_flagged_one_which_precedes_the_others() {
    let miners = miners();
    let chosen = |config| select(&with_trees(config), &miners, &[]).unwrap();
    for (config, id) in [
        (json!({"rule_extractor": "miner", "sift": true}), "miner"),
        (json!({"sift": true}), "sieve"),
        (json!({"sift": false}), "digger"),
        (json!({}), "digger"),
    ] {
        assert_eq!(extractor_id(&chosen(config.clone())), Ok(id), "{config}");
    }
}

#[test]
fn the_higher_version_of_two_extractors_without_a_flag_is_used_and_the_other_is_reported() {
    let miners = miners();
    let warnings = |config| select(&with_trees(config), &miners, &[]).unwrap().warnings;
    let found = warnings(json!({}));
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert_eq!(warning.code, WarningCode::PluginNameTaken);
    assert!(warning.message.contains("used digger 1.10.0"), "{}", warning.message);
    assert!(warning.message.contains("miner 1.0.0"), "{}", warning.message);
    for config in [json!({"rule_extractor": "Miner"}), json!({"sift": true})] {
        assert_eq!(warnings(config), []);
    }
}

#[test]
fn without_an_extractor_the_job_runs_and_the_reason_is_reported() {
    let plugins: Vec<_> =
        installed_plugins().into_iter().filter(|plugin| plugin.manifest.role != Role::Rules).collect();
    let reason = |config, plugins: &[InstalledPlugin]| {
        extractor_id(&select(&with_trees(config), plugins, &[]).unwrap()).unwrap_err().to_owned()
    };
    assert_eq!(reason(json!({}), &plugins), "no rule extractor is installed");
    let unknown = json!({"rule_extractor": "Minor"});
    let misnamed = reason(unknown.clone(), &plugins);
    assert!(misnamed.contains("\"Minor\"") && !misnamed.contains("Miner"), "{misnamed}");
    let others = reason(unknown, &miners());
    assert!(["\"Minor\"", "Miner", "Sieve"].iter().all(|name| others.contains(name)), "{others}");
}

#[test]
fn invalid_parameters_of_an_extractor_are_rejected_with_their_full_name() {
    let refused = select(&with_trees(json!({"dig_depth": 9})), &miners(), &[]).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidParameters);
    let problem = depth_param().check(&json!(9)).unwrap_err();
    assert_eq!(refused.message, format!("ml_training_config.dig_{problem}"));
    let other = json!({"dig_depth": 9, "rule_extractor": "Miner"});
    assert!(select(&with_trees(other), &miners(), &[]).is_ok(), "the parameter of an extractor that is not used");
}
