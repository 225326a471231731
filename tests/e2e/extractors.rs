//! Rule extractors in a job: the project's extractor, a third party's extractor, no extractor, and
//! a misbehaving extractor.

use oculus_tests::command::train;
use oculus_tests::results::{plugins, warning};
use oculus_tests::{build, jobs, wording};
use serde_json::{Value, json};

/// Returns the result of a small job with the given fields of `ml_training_config`. Both extractors
/// are installed.
fn mined(id: &str, fields: &[(&str, Value)]) -> Value {
    let mut job = jobs::job(id);
    for (name, value) in fields {
        job["design"]["ml_training_config"][*name] = value.clone();
    }
    let plugins = build::plugins_with_extractors();
    train(&job, &[("PLUGINS_DIR", plugins.to_str().unwrap())])
}

/// Returns the entry rules, exit rules and conjunctions from one source: `mined` or `job`.
fn rules_from<'r>(result: &'r Value, source: &str) -> Vec<&'r Value> {
    let rules = &result["extracted_rules"];
    let all = ["entry_rules", "exit_rules", "rule_sets"].map(|part| rules[part].as_array().unwrap());
    all.into_iter().flatten().filter(|rule| rule["source"] == source).collect()
}

#[test]
fn the_extractor_without_a_flag_is_used_unless_another_is_named() {
    let usual = mined("usual", &[]);
    assert_eq!(plugins(&usual), ["lightgbm", "rules"]);
    assert!(rules_from(&usual, "mined").iter().all(|rule| rule["stability"].is_f64()), "{}", usual["extracted_rules"]);
    for request in [("rule_extractor", json!("deciles")), ("mine_deciles", json!(true))] {
        let others = mined("others", &[request, ("deciles_max_rules", json!(3))]);
        assert_eq!(plugins(&others), ["lightgbm", "extractor"]);
        let rules = rules_from(&others, "mined");
        assert!(!rules.is_empty() && rules.len() <= 6, "at most three rules per side: {rules:?}");
        assert_eq!(others["strategy_optimization"]["n_candidates"], 128);
    }
}

#[test]
fn a_job_that_requests_a_missing_extractor_still_scores_the_rules_that_it_contains() {
    let result = mined("absent", &[("rule_extractor", json!("nosuch"))]);
    assert_eq!(plugins(&result), ["lightgbm"]);
    assert!(rules_from(&result, "mined").is_empty());
    assert!(!rules_from(&result, "job").is_empty());
    let message = warning(&result, "no_rule_extractor");
    assert!(message.contains("nosuch") && message.contains("RuleExtractor"), "{message}");
}

#[test]
fn an_extractor_that_dies_affects_only_the_mined_rules() {
    let result = mined("dies", &[("rule_extractor", json!("deciles")), ("deciles_act", json!("abort"))]);
    assert_eq!(result["status"], "success");
    assert!(rules_from(&result, "mined").is_empty());
    assert!(!rules_from(&result, "job").is_empty());
    let message = warning(&result, "rules_failed");
    assert!(message.contains("SIGABRT"), "{message}");
    let without_extractor = mined("dies", &[("rule_extractor", json!("nosuch"))]);
    for part in ["model_metrics", "models", "config_search", "strategy_optimization", "verdict", "canaries"] {
        assert_eq!(result[part], without_extractor[part], "{part}");
    }
}

#[test]
fn an_invalid_rule_is_rejected_by_name_and_the_job_continues() {
    let result = mined("invalid", &[("rule_extractor", json!("deciles")), ("deciles_act", json!("invalid_rules"))]);
    assert!(rules_from(&result, "mined").is_empty());
    let message = warning(&result, "mined_rules_refused");
    assert!(message.contains("NO_SUCH_FEATURE"), "{message}");
}

#[test]
fn the_parameters_of_an_extractor_are_checked_before_bars_are_read() {
    let mut job = jobs::job("refused");
    job["design"]["ml_training_config"]["rules_max_rules"] = json!(-1);
    job["design"]["ml_training_config"]["rules_max_rule"] = json!(5);
    let plugins = build::plugins_with_extractors();
    let settings = [("PLUGINS_DIR", plugins.to_str().unwrap())];
    let output = oculus_tests::command::run_on(&job, &["train", "--json"], &settings);
    let error = &output.json()["error"];
    assert_eq!((output.code, &error["code"]), (3, &json!("invalid_parameters")), "{output:?}");
    let found = wording::found("ml_training_config.rules_max_rules", "-1");
    assert!(error["message"].as_str().unwrap().contains(&found), "{error}");
    job["design"]["ml_training_config"]["rules_max_rules"] = json!(5);
    assert!(warning(&train(&job, &settings), "unknown_parameter").contains("rules_max_rules"));
}
