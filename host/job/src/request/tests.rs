//! Tests of parsing a job.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::code::ErrorCode;
use crate::error::JobError;
use crate::progress::Phase;

fn parse(value: Value) -> Result<Job, JobError> {
    Job::parse(&value.to_string())
}

fn with_design(design: Value) -> Result<Job, JobError> {
    parse(json!({"build_id": "b", "symbols": ["AAPL"], "design": design}))
}

fn message(result: Result<Job, JobError>) -> String {
    result.unwrap_err().message
}

/// Returns the paths of the problems in the message of an `invalid_job` failure.
fn paths(result: Result<Job, JobError>) -> Vec<String> {
    let failure = result.unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidJob);
    let path = |problem: &str| problem.split(": ").next().unwrap_or_default().to_owned();
    failure.message.split("; ").map(path).collect()
}

#[test]
fn the_example_job_is_parsed_completely() {
    let job = Job::parse(include_str!("../../../../examples/job.json")).unwrap();
    assert_eq!(job.symbols, ["AAPL", "MSFT"]);
    assert_eq!(job.design.entry_rules[0].operator, Operator::AtMost);
    assert_eq!(job.design.entry_score_threshold, 2);
    assert_eq!(job.design_config()["n_iter_search"], 30);
    assert_eq!(job.design_config()["train_lstm"], true);
}

#[test]
fn an_old_job_with_only_years_and_type_gets_the_defaults() {
    let job = with_design(json!({"years": 3, "strategy_type": "momentum", "hp_iterations": 12})).unwrap();
    assert_eq!(job.timeframe, Timeframe::Day1);
    assert_eq!(job.design.n_iter_search, 12);
    assert_eq!(job.design.forward_returns_days_options, [5, 10, 15]);
    assert_eq!(job.design.profit_threshold_options, [2.0, 3.0, 5.0]);
    assert_eq!(job.design.ml_training_config.cv_folds, 3);
    assert_eq!(job.design.ml_training_config.config_search_model, "LightGBM");
    assert_eq!(job.design.ml_training_config.seed, DEFAULT_SEED);
}

#[test]
fn the_job_id_identifies_the_job_and_the_build_id_is_echoed() {
    let job = parse(json!({"job_id": "j", "build_id": "b", "symbols": ["A"]})).unwrap();
    assert_eq!((job.id.as_str(), job.build_id.as_str()), ("j", "b"));
    let job = parse(json!({"job_id": "j", "symbols": ["A"]})).unwrap();
    assert_eq!((job.id.as_str(), job.build_id.as_str()), ("j", "j"));
}

#[test]
fn numbers_in_strings_and_whole_numbers_with_a_fraction_of_zero_are_accepted() {
    let job = with_design(json!({
        "years": "2.0", "recommended_n_iter_search": 40.0, "forward_returns_days_options": ["5", 10.0, 5],
        "entry_score_threshold": "1.5", "priority_features": null,
        "entry_rules": [{"feature": "RSI_14", "operator": "<", "threshold": "35"}],
        "ml_training_config": {"cv_folds": "4.0", "seed": 7.0},
    }))
    .unwrap();
    assert_eq!(job.design.years, 2.0);
    assert_eq!(job.design.n_iter_search, 40);
    assert_eq!(job.design.forward_returns_days_options, [5, 10]);
    assert_eq!(job.design.entry_score_threshold, 2);
    assert_eq!(job.design.entry_rules[0].threshold, 35.0);
    assert_eq!(job.design.ml_training_config.cv_folds, 4);
    assert_eq!(job.design.ml_training_config.seed, 7);
}

#[test]
fn one_message_names_every_problem_with_its_path_and_the_found_and_expected_values() {
    let failure = parse(json!({
        "build_id": "b", "symbols": ["AAPL", "../etc"], "timeframe": "2d",
        "design": {
            "years": 0, "profit_threshold_options": [-100, 2],
            "exit_rules": [{"feature": "RSI_14", "operator": "=>", "threshold": "NaN"}],
            "ml_training_config": {"cv_folds": "many", "train_lstm": "yes", "ensemble": 1},
        },
    }))
    .unwrap_err();
    assert_eq!((failure.code.as_str(), failure.phase), ("invalid_job", Phase::Queued));
    for expected in [
        "symbols[1]: found \"../etc\", expected a symbol",
        "timeframe: found \"2d\", expected one of 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w",
        "design.years: found 0, expected a number from 0.5 to 50",
        "design.profit_threshold_options[0]: found -100, expected a number above -100",
        "design.exit_rules[0].operator: found \"=>\", expected one of <= < >= > == !=",
        "design.exit_rules[0].threshold: found \"NaN\", expected a finite number",
        "design.ml_training_config.cv_folds: found \"many\", expected a whole number from 1 to 20",
        "design.ml_training_config.train_lstm: found \"yes\", expected true or false",
        "design.ml_training_config.ensemble: found 1, expected true or false",
    ] {
        assert!(failure.message.contains(expected), "missing: {expected}\nin: {}", failure.message);
    }
}

#[test]
fn duplicate_symbols_are_merged_and_paths_are_rejected() {
    let job =
        parse(json!({"build_id": "b", "symbols": ["BRK.B", "X:BTC-USD", "BRK.B", "^GSPC", "ES=F", "M&M.NS"]})).unwrap();
    assert_eq!(job.symbols, ["BRK.B", "X:BTC-USD", "^GSPC", "ES=F", "M&M.NS"]);
    for symbol in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0b", "a b", "EUR/USD", "Ä", &"A".repeat(65)] {
        assert_eq!(paths(parse(json!({"build_id": "b", "symbols": [symbol]}))), ["symbols[0]"], "{symbol:?}");
    }
    assert_eq!(paths(parse(json!({"build_id": "b"}))), ["symbols"]);
    assert_eq!(paths(parse(json!({"build_id": "b", "symbols": []}))), ["symbols"]);
    assert_eq!(paths(parse(json!({"build_id": "b", "symbols": [null]}))), ["symbols[0]"]);
}

#[test]
fn a_job_without_an_id_or_with_values_of_wrong_types_is_refused() {
    assert_eq!(paths(parse(json!({"symbols": ["A"]}))), ["build_id"]);
    assert_eq!(paths(parse(json!([1]))), ["job"]);
    assert_eq!(message(parse(json!(null))), "job: missing, expected an object");
    assert_eq!(paths(with_design(json!("fast"))), ["design"]);
}

#[test]
fn broken_json_deep_json_and_huge_numbers_are_refused_with_a_code() {
    for payload in ["", "{", "{\"years\": NaN}", "{\"years\": 1e999}", &"[".repeat(100_000)] {
        assert_eq!(Job::parse(payload).unwrap_err().code, ErrorCode::MalformedJson, "{payload:.20}");
    }
    assert_eq!(Job::parse(&" ".repeat(MAX_PAYLOAD_BYTES + 1)).unwrap_err().code, ErrorCode::PayloadTooLarge);
    assert_eq!(paths(with_design(json!({"years": 1e300}))), ["design.years"]);
    assert_eq!(
        paths(with_design(json!({"recommended_n_iter_search": u64::MAX}))),
        ["design.recommended_n_iter_search"]
    );
}

#[test]
fn a_lone_surrogate_is_replaced_where_a_text_is_only_echoed_and_refused_elsewhere() {
    let with = |field: &str, value: &str| {
        format!(r#"{{"build_id": "b", "symbols": ["A"], "design": {{"{field}": {value}}}}}"#)
    };
    let job = Job::parse(&with("strategy_description", r#""Buy the dip \ud83d""#)).unwrap();
    assert_eq!(job.design.strategy_description, "Buy the dip \u{fffd}");
    let rules = r#"[{"feature": "RSI_14", "operator": "<", "threshold": 30, "description": "\ude80 low"}]"#;
    assert_eq!(Job::parse(&with("entry_rules", rules)).unwrap().design.entry_rules[0].description, "\u{fffd} low");
    for (field, value, path) in [
        ("priority_features", r#"["RSI_14", "RSI_\ud83d"]"#, "design.priority_features[1]"),
        (
            "entry_rules",
            r#"[{"feature": "A\ud83d", "operator": "<", "threshold": 3}]"#,
            "design.entry_rules[0].feature",
        ),
        ("ml_training_config", r#"{"families": ["\ud83d"]}"#, "design.ml_training_config.families[0]"),
    ] {
        let result = Job::parse(&with(field, value));
        assert!(message(result.clone()).contains("U+FFFD marks a lone surrogate"), "{result:?}");
        assert_eq!(paths(result), [path]);
    }
    assert_eq!(paths(Job::parse(r#"{"job_id": "b\ud83d", "symbols": ["A\ud83d"]}"#)), ["job_id", "symbols[0]"]);
}

#[test]
fn text_that_is_not_json_is_refused_with_the_field_and_a_remedy() {
    let failure = Job::parse("{\"build_id\": \"b\", \"design\": {\"cost_bps\": NaN}}").unwrap_err();
    assert_eq!(failure.code, ErrorCode::MalformedJson);
    assert_eq!(
        failure.message,
        "the job is not valid JSON: design.cost_bps: found `NaN` in line 1, column 42, expected a finite number"
    );
    assert!(failure.hint.contains("finite"), "{}", failure.hint);
}

#[test]
fn problems_beyond_the_limit_are_counted_but_not_listed() {
    let text = message(with_design(json!({"priority_features": vec![0; 300]})));
    assert!(text.ends_with("; and 280 more"), "{text}");
}

#[test]
fn a_threshold_below_one_rule_is_refused() {
    assert_eq!(paths(with_design(json!({"entry_score_threshold": 0.5}))), ["design.entry_score_threshold"]);
}

#[test]
fn unknown_fields_are_ignored_and_options_are_kept_for_the_plugins() {
    let job = with_design(
        json!({"mood": "good", "ml_training_config": {"nn_epochs": 100, "nn_dropout": null, "cv_folds": 2}}),
    );
    let options = job.unwrap().design.ml_training_config.options;
    assert_eq!(Value::Object(options), json!({"nn_epochs": 100}));
}

#[test]
fn no_operator_is_true_for_nan_and_every_sign_can_be_parsed() {
    assert!(Operator::ALL.iter().all(|operator| !operator.holds(f64::NAN, 1.0)));
    assert!(Operator::ALL.iter().all(|operator| Operator::from_sign(operator.sign()) == Some(*operator)));
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "-?[0-9]{1,25}(\\.[0-9]{1,3})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field_name(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn field_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "job_id",
        "symbols",
        "timeframe",
        "design",
        "years",
        "entry_rules",
        "feature",
        "operator",
        "threshold",
        "ml_training_config",
        "cv_folds",
        "seed",
        "families",
        "forward_returns_days_options",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn no_json_panics(design in arbitrary_json(), symbols in arbitrary_json(), anything in arbitrary_json()) {
        let _ = parse(anything);
        let _ = parse(json!({"job_id": "j", "symbols": symbols}));
        if let Ok(job) = with_design(design) {
            prop_assert!(job.design_config().is_object());
        }
    }

    #[test]
    fn no_text_panics(payload in "\\PC{0,80}") {
        let _ = Job::parse(&payload);
    }
}
