#![allow(clippy::unwrap_used)]

use oculus_job::code::ErrorCode;
use oculus_job::warning::WarningCode;
use serde_json::json;

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
        let selection = select(&job(json!({"config_search_model": name})), &shelf(), &[]).unwrap();
        assert_eq!(ids(&selection), ["trees"]);
    }
}

#[test]
fn an_unknown_lead_is_refused_with_the_nearest_that_is_installed() {
    let failure = select(&job(json!({"config_search_model": "Treees"})), &shelf(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    assert!(failure.message.contains("\"Treees\"") && failure.hint.contains("\"Trees\""), "{failure:?}");
}

#[test]
fn a_family_that_cannot_lead_is_no_lead() {
    let failure = select(&job(json!({"config_search_model": "Recurrent"})), &shelf(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
}

#[test]
fn the_longest_window_of_the_chosen_families_counts_and_that_of_a_missing_one_does_not() {
    let window = Param::int("window", 40).range(1, 1000);
    let mut shelf = shelf();
    let windowed = Manifest::new("windowed", "1.0.0").selected_by("train_windowed").prefixed("win_").param(window);
    shelf.push(installed(windowed.lookback_param("window")));
    let lookback = |config| select(&job(config), &shelf, &[]).unwrap().lookback_rows();
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
    let config = json!({"config_search_model": "trees", "train_rnn": true, "train_lstm": true, "families": ["knn"]});
    let selection = select(&job(config), &shelf(), &[]).unwrap();
    assert_eq!(ids(&selection), ["trees", "recurrent"]);
    let skipped: Vec<_> = selection.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(skipped, ["knn", "train_lstm"]);
    assert!(selection.skipped[0].reason.contains("installed: Trees, Recurrent"), "{:?}", selection.skipped);
}

#[test]
fn a_parameter_out_of_range_is_refused_by_its_full_name() {
    let failure = select(&job(json!({"config_search_model": "trees", "tree_rate": 7})), &shelf(), &[]).unwrap_err();
    assert_eq!(failure.message, "ml_training_config.tree_rate: found 7, needed a number from 0 to 1");
}

#[test]
fn of_two_plugins_with_one_name_the_higher_version_serves_and_the_other_is_reported() {
    let mut shelf = shelf();
    shelf.push(installed(Manifest::new("trees2", "1.10.0").named(["Trees"]).leads_search()));
    shelf.push(installed(Manifest::new("trees", "1.9.0").named(["Trees"]).leads_search()));
    let selection = select(&job(json!({"config_search_model": "Trees"})), &shelf, &[]).unwrap();
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
        let selection =
            select(&job(json!({"config_search_model": "Two", "families": ["Alpha"]})), &shelf, &[]).unwrap();
        assert_eq!(ids(&selection), ["c"]);
        assert_eq!(selection.warnings.len(), 2, "{:?}", selection.warnings);
        assert_eq!(selection.skipped.len(), 1);
    }
}

#[test]
fn of_two_plugins_with_one_flag_the_higher_version_serves_and_the_other_is_reported_and_had_by_name() {
    let mut shelf = shelf();
    shelf.push(installed(Manifest::new("rival", "1.0.1").role(Role::Sequence).selected_by("train_rnn")));
    let asked = |config| select(&job(config), &shelf, &[]).unwrap();
    let selection = asked(json!({"config_search_model": "trees", "train_rnn": true}));
    assert_eq!(ids(&selection), ["trees", "rival"]);
    let told = "train_rnn selects rival 1.0.1 (1.0.1) and recurrent 1.0.0 (1.0.0); used rival";
    assert!(
        selection.warnings[0].message.starts_with(told) && selection.warnings.len() == 1,
        "{:?}",
        selection.warnings
    );

    let both = asked(json!({"config_search_model": "trees", "train_rnn": true, "families": ["recurrent"]}));
    assert_eq!(ids(&both), ["trees", "recurrent", "rival"]);
    let unasked = asked(json!({"config_search_model": "trees"}));
    assert!(unasked.warnings.is_empty(), "{:?}", unasked.warnings);
}

#[test]
fn what_is_missing_is_told_with_the_libraries_that_cannot_be_used() {
    let refused = [Refused { path: "/plugins/x/librnn.so".into(), reason: "needs `libtorch.so`".to_owned() }];
    let config = json!({"config_search_model": "trees", "train_lstm": true});
    let selection = select(&job(config), &shelf(), &refused).unwrap();
    let told = "installed: Trees, Recurrent; cannot be used: librnn.so (needs `libtorch.so`)";
    assert!(selection.skipped[0].reason.ends_with(told), "{:?}", selection.skipped);
    let failure = select(&job(json!({"config_search_model": "Forest"})), &shelf(), &refused).unwrap_err();
    assert!(failure.message.ends_with("such are: Trees; cannot be used: librnn.so (needs `libtorch.so`)"));
}

/// Two families with parameters, the prefix of one the beginning of the other's.
fn nets() -> Vec<InstalledPlugin> {
    let size = || Param::int("hidden_size", 64).range(1, 1024);
    let device = Param::choice("device", "auto", ["auto", "cpu", "cuda"]);
    let net = Manifest::new("net", "1.0.0").prefixed("nn_").param(size()).leads_search();
    let deep = Manifest::new("deep", "1.0.0").prefixed("nn_deep_").param(size()).param(device);
    vec![installed(net), installed(deep.devices(["cpu", "cuda"]))]
}

#[test]
fn a_wrong_lead_hides_no_other_problem_and_a_flag_is_true_or_false() {
    let config = json!({"config_search_model": "Forest", "families": ["deep"], "nn_deep_hidden_size": 0,
        "train_transformer": "true"});
    let failure = select(&job(config), &nets(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnknownModel);
    for part in ["\"Forest\"", "nn_deep_hidden_size: found 0", "train_transformer: found \"true\""] {
        assert!(failure.message.contains(part), "no {part} in {}", failure.message);
    }
    let failure = select(&job(json!({"config_search_model": "deep"})), &nets(), &[]).unwrap_err();
    assert!(failure.message.contains("is installed, but cannot lead"), "{}", failure.message);
}

#[test]
fn the_parameters_of_all_families_are_refused_at_once() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_hidden_size": 0,
        "nn_deep_hidden_size": 4096, "nn_deep_device": "tpu"});
    let failure = select(&job(config), &nets(), &[]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidParameters);
    for name in ["nn_hidden_size: found 0", "nn_deep_hidden_size: found 4096", "nn_deep_device: found \"tpu\""] {
        assert!(failure.message.contains(&format!("ml_training_config.{name}")), "{}", failure.message);
    }
}

#[test]
fn a_misspelt_parameter_is_told_with_the_nearest_of_the_family_it_means() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_hiden_size": 3, "other": 1});
    let warnings = select(&job(config), &nets(), &[]).unwrap().warnings;
    let told = "ml_training_config.nn_deep_hiden_size is no parameter of deep and changes nothing; the nearest is \
                nn_deep_hidden_size";
    assert_eq!(warnings, [Warning::new(WarningCode::UnknownParameter, told)]);
    let config = json!({"config_search_model": "net", "nn_deep_hiden_size": 3});
    assert!(select(&job(config), &nets(), &[]).unwrap().warnings.is_empty(), "it means a family that is not asked for");
}

#[test]
fn a_family_works_where_the_job_says_unless_the_host_has_only_the_cpu() {
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_device": "cuda"});
    let chosen = select(&job(config), &nets(), &[]).unwrap().chosen;
    let (net, deep) = (&chosen[0], &chosen[1]);
    assert_eq!((deep.device("auto"), deep.device("cpu"), net.device("auto")), ("cuda", "cpu", "auto"));
    assert!(deep.may_use_gpu("auto") && !deep.may_use_gpu("cpu") && !net.may_use_gpu("auto"));
    let config = json!({"config_search_model": "net", "families": ["deep"], "nn_deep_device": "cpu"});
    assert!(!select(&job(config), &nets(), &[]).unwrap().chosen[1].may_use_gpu("auto"));
}

/// Two extractors without a flag and one that a flag selects.
fn miners() -> Vec<InstalledPlugin> {
    let mut shelf = shelf();
    let depth = Param::int("depth", 2).range(1, 4);
    shelf.push(installed(Manifest::new("digger", "1.10.0").role(Role::Rules).prefixed("dig_").param(depth)));
    shelf.push(installed(Manifest::new("sieve", "1.0.1").named(["Sieve"]).role(Role::Rules).selected_by("sift")));
    shelf
}

fn with_trees(mut config: Value) -> Job {
    config.as_object_mut().unwrap().insert("config_search_model".to_owned(), json!("trees"));
    job(config)
}

fn extractor_id(selection: &Selection) -> Result<&str, &str> {
    selection.extractor.as_ref().map(|chosen| chosen.plugin.manifest.id.as_str()).map_err(String::as_str)
}

#[test]
fn a_named_extractor_comes_before_a_flagged_one_and_that_before_the_others() {
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
fn of_two_extractors_without_a_flag_the_higher_version_mines_and_the_other_is_told() {
    let miners = miners();
    let warnings = |config| select(&with_trees(config), &miners, &[]).unwrap().warnings;
    let told = warnings(json!({}));
    let [warning] = &told[..] else { panic!("{told:?}") };
    assert!(warning.message.contains("used digger 1.10.0"), "{}", warning.message);
    assert!(warning.message.contains("Miner 1.0.0") || warning.message.contains("miner 1.0.0"), "{}", warning.message);
    for settled in [json!({"rule_extractor": "Miner"}), json!({"sift": true})] {
        assert_eq!(warnings(settled), []);
    }
}

#[test]
fn without_an_extractor_the_job_runs_and_the_reason_is_told() {
    let shelf: Vec<_> = shelf().into_iter().filter(|plugin| plugin.manifest.role != Role::Rules).collect();
    let reason = |config, shelf: &[InstalledPlugin]| {
        extractor_id(&select(&with_trees(config), shelf, &[]).unwrap()).unwrap_err().to_owned()
    };
    assert_eq!(reason(json!({}), &shelf), "no rule extractor is installed");
    let unknown = json!({"rule_extractor": "Minor"});
    assert!(reason(unknown.clone(), &shelf).ends_with("installed: none"));
    assert!(reason(unknown, &miners()).contains("\"Minor\" is no installed rule extractor; installed: "));
}

#[test]
fn an_extractors_parameters_are_refused_by_their_full_name() {
    let refused = select(&with_trees(json!({"dig_depth": 9})), &miners(), &[]).unwrap_err();
    assert_eq!(refused.message, "ml_training_config.dig_depth: found 9, needed a whole number from 1 to 4");
    let other = json!({"dig_depth": 9, "rule_extractor": "Miner"});
    assert!(select(&with_trees(other), &miners(), &[]).is_ok(), "they are those of an extractor that is not used");
}
