use oculus_job::request::{Operator, Rule};
use oculus_job::submission::SubmissionHistory;
use serde_json::json;

use super::*;
use crate::metrics::UndefinedError;
use crate::{
    canaries,
    features::FeatureReport,
    models,
    rules::{self, ExtractorError, RequestedRules, RuleContext, RuleExtractor, tests::miner::Deciles},
    search::{
        self, Family,
        tests::panel::{Centroid, Panel, no_params},
    },
    strategy,
    submissions::{TestFigures, TestPeriodUse},
};

fn rule(feature: &str, threshold: f64) -> Rule {
    Rule { feature: feature.to_owned(), operator: Operator::Above, threshold, description: "why".to_owned() }
}

/// Returns the result of the real stages on a synthetic panel.
fn report(panel: &Panel, n_parallel: usize) -> Value {
    report_with(panel, n_parallel, Ok(RuleExtractor { miner: &Deciles::new(&panel.table), params: &no_params() }))
}

fn report_with(panel: &Panel, n_parallel: usize, extractor: Result<RuleExtractor<'_>, ExtractorError>) -> Value {
    let context = panel.search_context(n_parallel);
    let fitter = Centroid::new(&panel.table);
    let params = no_params();
    let lead = Family { fitter: &fitter, params: &params, device: "auto" };
    let outcome = search::run(&context, &lead, 8, &|_| {}).unwrap();
    let missing = models::FamilyCandidate::Unavailable { name: "LSTM", reason: "not installed" };
    let families = models::Families { lead, others: vec![missing], baseline: None, ensemble: false };
    let evaluations = models::evaluate_all(&context, &outcome, &families, &|_| {}).unwrap();
    let mut training = models::fit_final(&context, &outcome, evaluations, &|_| {}).unwrap();
    // The features of a synthetic panel do not come from its bars, so it has no surrogate markets.
    let none = UndefinedError::because("a synthetic panel has no surrogate markets");
    training.compare_with_chance(Err(none.clone()));
    let entry_rules = [rule("SIGNAL", 0.5), rule("SIGNAL", 99.0), rule("NO_SUCH", 0.0)];
    let requested = RequestedRules {
        entry_rules: &entry_rules,
        exit_rules: &entry_rules[1..2],
        entry_score_threshold: 3,
        exit_score_threshold: 1,
        features: &FeatureReport::default(),
    };
    let rules = rules::find(&RuleContext { search_context: &context, search: &outcome, extractor, requested }).unwrap();
    let surrogate_markets = canaries::SurrogateMarkets::without_rank(None, None, 0, &none);
    let canaries = canaries::Canaries::new(surrogate_markets, &outcome, &training.test);
    let optimized = strategy::optimize(&strategy::StrategyInputs {
        market: &panel.market,
        table: &panel.table,
        partition: &panel.partition,
        label: &panel.labels[outcome.label_idx],
        label_judged: true,
        n_submissions: Some(1),
        model_chance: strategy::ModelChance { auc_p: Some(0.01), surrogates_p: None },
        rule_set: &rules.rule_set,
        scores: &training.winner.standard_scores,
        score_scale: training.winner.score_scale,
        entry_score_threshold: 3,
        exit_score_threshold: 1,
        cost_bps: 5.0,
        n_trials: 32,
        seed: 42,
        n_parallel,
    });
    let payload = json!({"build_id": "build:1", "symbols": ["AAPL"], "timeframe": "1d"});
    let job = Job::parse(&payload.to_string()).unwrap();
    let history = SubmissionHistory::Known(Vec::new());
    let test_use = TestPeriodUse::new(&history, &job, &panel.partition.test, "2026-01-02T03:04:05");
    let (submissions, _) = test_use.conclude(TestFigures::new(&training.test, &optimized.report));
    let inputs = ReportInputs {
        job: &job,
        source: "dir",
        market: &panel.market,
        participants: &Participants {
            families: vec![],
            baseline: None,
            extractor: Err("none".to_owned()),
            skipped: vec![],
            warnings: vec![],
        },
        table: &panel.table,
        features: &FeatureReport::default(),
        partition: &panel.partition,
        outcome: &outcome,
        training: &training,
        canaries: &canaries,
        rules: &rules,
        optimized: &optimized,
        submissions: &submissions,
    };
    serde_json::to_value(build(&inputs)).unwrap()
}

#[test]
fn the_result_has_the_fields_of_the_contract() {
    let result = report(&Panel::new(1, 0.6, &[1.0, 2.0]), 1);
    assert_eq!(
        (&result["build_id"], &result["status"], &result["phase"]),
        (&json!("build:1"), &json!("success"), &json!("complete"))
    );
    let metrics = &result["model_metrics"];
    assert_eq!(metrics["model_name"], "Centroid");
    for name in ["f1", "precision", "recall", "auc", "pr_auc", "base_rate", "threshold", "auc_volatility_baseline"] {
        assert!(metrics[name].is_f64(), "{name}: {}", metrics[name]);
    }
    assert_eq!(metrics["auc_ci95"].as_array().unwrap().len(), 2);
    assert!(metrics["n_train"].as_u64().unwrap() > metrics["n_test"].as_u64().unwrap());
    assert_eq!(metrics["label"]["horizon_days"], 1);
    assert_eq!(
        result["backtest_results"],
        json!({
            "status": "pending",
            "note": "Backtesting requires full strategy deployment. The backtest on past bars is in \
                     strategy_optimization.development and strategy_optimization.test."
        })
    );
    assert_eq!(result["design_config"]["cv_folds"], 3);
    assert_eq!(result["models"][1]["status"], "skipped");
    assert_eq!(result["provenance"]["n_trials"], 8);
    assert_eq!(result["config_search"]["trials"].as_array().unwrap().len(), 8);
    assert_eq!(result["provenance"]["splits"]["blocks"].as_array().unwrap().len(), 4);
    assert_eq!(result["warnings"][0]["code"], "warm_up_shortened");
    assert_eq!(result["provenance"]["model_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(result["run"], json!({}), "the caller fills in `run`");
}

#[test]
fn entry_rules_contain_the_job_rules_that_fire_and_suggested_rules_contain_all() {
    let rules = &report(&Panel::new(2, 0.6, &[1.0]), 1)["extracted_rules"];
    let job_rules = |side: &str| {
        let is_from_job = |rule: &&Value| rule["source"] == "job";
        rules[side].as_array().unwrap().iter().filter(is_from_job).cloned().collect::<Vec<_>>()
    };
    let entry = job_rules("entry_rules");
    assert_eq!(entry.len(), 1);
    let field = |name: &str| entry[0][name].clone();
    assert_eq!(
        [field("feature"), field("operator"), field("threshold"), field("description")],
        [json!("SIGNAL"), json!(">"), json!(0.5), json!("why")]
    );
    assert!(field("support").as_u64().unwrap() > 0 && field("lift").as_f64().unwrap() > 1.0);
    assert_eq!(job_rules("exit_rules"), Vec::<Value>::new());
    assert_eq!(rules["suggested_rules"]["entry_rules"].as_array().unwrap().len(), 3);
    assert!(rules["suggested_rules"]["entry_rules"][1]["nearest_threshold"].is_f64());
    assert_eq!(rules["suggested_rules"]["unresolved"][0]["feature"], "NO_SUCH");
    assert_eq!(rules["top_features"][0]["feature"], "SIGNAL");
    let shares = rules["top_features"].as_array().unwrap().iter().map(|row| row["importance"].as_f64().unwrap());
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn mined_rules_have_the_form_of_job_rules_and_precede_them() {
    let panel = Panel::new(2, 0.6, &[1.0]);
    let rules = &report(&panel, 1)["extracted_rules"];
    let entry = rules["entry_rules"].as_array().unwrap();
    let sources: Vec<_> = entry.iter().map(|rule| rule["source"].as_str().unwrap()).collect();
    assert!(sources.len() > 5 && sources[..sources.len() - 1].iter().all(|source| *source == "mined"), "{sources:?}");
    let mined = entry.iter().find(|rule| rule["folds_found"] == "3 of 3").unwrap();
    assert_eq!((&mined["figures_of"], &entry[entry.len() - 1]["figures_of"]), (&json!("stable_list"), &json!("rule")));
    for figure in ["support", "episodes", "precision", "base_rate", "lift", "lift_ci95", "mean_forward_return_pct"] {
        let list = &rules["lists"]["entry"]["stable"]["walk_forward"];
        assert_eq!(mined[figure], list[figure], "the top-level figures are those of the list: {figure}");
        assert!(!mined[figure].is_null() && !mined["selected"][figure].is_null(), "{figure}");
        assert!(mined["in_sample"].get(figure).is_some(), "{figure}");
    }
    let threshold = mined["threshold"].as_f64().unwrap() as f32;
    let column = panel.table.by_name(mined["feature"].as_str().unwrap()).unwrap();
    assert!(column.contains(&threshold), "the threshold equals a decile of the column exactly");
    assert_eq!(rules["lists"]["exit"]["high_lift"]["n_rules"], 5);
    assert!(rules["lists"]["entry"]["high_lift"]["walk_forward"]["lift"].as_f64().unwrap() > 1.0);
}

#[test]
fn equally_important_features_are_sorted_by_name() {
    let panel = Panel::new(3, 0.6, &[1.0]);
    let rows = super::rules::top_features(&panel.table, &[0.1, 0.3, 0.3, 0.0, f64::NAN, 0.3]);
    let names: Vec<&str> = rows.iter().map(|row| row.feature.as_str()).collect();
    assert_eq!(names, ["HV_20", "NOISE_1", "NOISE_2", "SIGNAL"]);
}

#[test]
fn the_number_of_parallel_fits_does_not_change_a_byte_of_the_result() {
    let panel = Panel::new(4, 0.3, &[1.0, 2.0]);
    assert_eq!(report(&panel, 1).to_string(), report(&panel, 4).to_string());
}

#[test]
fn a_result_deserialises_to_the_report_that_wrote_it() {
    for (edge, thresholds) in [(0.6, vec![1.0, 2.0]), (0.3, vec![12.0, 7.0])] {
        let result = report(&Panel::new(8, edge, &thresholds), 1);
        let read: Report = serde_json::from_value(result.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), result, "{thresholds:?}");
    }
}

#[test]
fn results_with_the_former_field_name_of_the_significance_can_still_be_read() {
    let mut result = report(&Panel::new(8, 0.6, &[1.0]), 1);
    let expected = result.clone();
    for period in ["development", "test"] {
        let fields = result["strategy_optimization"][period].as_object_mut().unwrap();
        let significance = fields.remove("significance").unwrap();
        fields.insert("honesty".to_owned(), significance);
    }
    let read = Report::from_json(&result).unwrap();
    assert_eq!(read.to_json().unwrap(), expected);
}

/// Returns the paths of nulls without a reason. A reason is either under the null's name in
/// `reasons`, or the `reason` of its row.
fn unexplained(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let is_explained = |name: &str| {
                fields.get("reason").is_some_and(Value::is_string)
                    || fields.get("reasons").is_some_and(|reasons| reasons.get(name).is_some())
            };
            let unexplained_in_field = |(name, value): (&String, &Value)| match value {
                Value::Null if is_explained(name) => Vec::new(),
                Value::Array(list) if is_explained(name) && list.iter().all(Value::is_null) => Vec::new(),
                value => unexplained(value, &format!("{path}.{name}")),
            };
            fields.iter().flat_map(unexplained_in_field).collect()
        }
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(idx, value)| unexplained(value, &format!("{path}[{idx}]"))).collect()
        }
        Value::Null => vec![path.to_owned()],
        _ => Vec::new(),
    }
}

#[test]
fn every_null_has_a_reason() {
    for (edge, thresholds) in [(0.6, vec![1.0, 2.0]), (0.3, vec![7.0]), (0.3, vec![12.0, 7.0])] {
        let result = report(&Panel::new(8, edge, &thresholds), 1);
        assert_eq!(unexplained(&result, ""), Vec::<String>::new(), "{thresholds:?}");
    }
}

#[test]
fn every_null_of_a_rule_has_a_reason_whether_rules_are_mined_or_not() {
    for (edge, threshold) in [(0.6, 1.0), (0.3, 7.0), (0.5, -1.0)] {
        let mut panel = Panel::new(8, edge, &[threshold]);
        for n_test_rows in [panel.splits[0].test_rows.len(), 0] {
            panel.splits[0].test_rows.truncate(n_test_rows);
            let missing = Err(ExtractorError::NotOpened);
            for result in [report(&panel, 1), report_with(&panel, 1, missing)] {
                let nulls = unexplained(&result["extracted_rules"], "");
                assert_eq!(nulls, Vec::<String>::new(), "{threshold} %, {n_test_rows} rows");
            }
        }
    }
}

#[test]
fn a_test_period_without_labelled_rows_has_nulls_with_reasons() {
    let mut panel = Panel::new(9, 0.6, &[1.0]);
    panel.splits[0].test_rows.clear();
    let result = report(&panel, 1);
    assert_eq!(unexplained(&result, ""), Vec::<String>::new());
    let metrics = &result["model_metrics"];
    assert_eq!((&metrics["n_test"], &metrics["auc"], &metrics["test_from"]), (&json!(0), &Value::Null, &Value::Null));
    assert_eq!(metrics["reasons"]["base_rate"], "the test period has no labelled row");
}
