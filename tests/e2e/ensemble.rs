//! The ensemble of a job's families: how it competes, what it leaves, and its predictions.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use oculus_job::hash::sha256_hex;
use oculus_market_data::synth::Kind;
use oculus_tests::command::{self, CommandOutput};
use oculus_tests::predictions::{ScoredRow, assert_all_close, auc, number};
use oculus_tests::results::{model, outside_run};
use oculus_tests::{build, jobs, market};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A job whose winner is the ensemble, with its bars and its artifacts.
struct Won {
    folder: TempDir,
    result: Value,
}

impl Won {
    /// Trains two families whose errors differ, on bars with a planted pattern.
    fn train() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bars = folder.path().join("bars");
        fs::create_dir(&bars).unwrap();
        market::write(&bars, &["AAA", "BBB"], 1500, 7, Kind::Rebound { rsi_below: 38.0, drift: 0.02 });
        let mut job = jobs::job("won");
        job["symbols"] = json!(["AAA", "BBB"]);
        job["design"]["years"] = json!(4);
        job["design"]["recommended_n_iter_search"] = json!(1);
        // Trees that overfit have other errors than a linear model, so the mean of their ranks is
        // better than each of them.
        let config = json!({ "families": ["Linear"], "ensemble": true, "lgbm_num_leaves": 63,
                             "lgbm_min_data_in_leaf": 5, "lgbm_learning_rate": 0.3, "lgbm_num_iterations": 40 });
        let fields = job["design"]["ml_training_config"].as_object_mut().unwrap();
        fields.extend(config.as_object().unwrap().clone());
        let artifacts = folder.path().join("artifacts");
        let plugins = build::families();
        let settings = [
            ("BARS_SOURCE", &*format!("dir:{}", bars.display())),
            ("PLUGINS_DIR", plugins.to_str().unwrap()),
            ("ARTIFACTS_DIR", artifacts.to_str().unwrap()),
        ];
        Self { result: command::train(&job, &settings), folder }
    }

    fn artifact(&self) -> PathBuf {
        PathBuf::from(self.result["run"]["artifacts"].as_str().unwrap())
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.artifact().join(file)).unwrap()
    }

    fn predict(&self, plugins: &str, arguments: &[&str]) -> CommandOutput {
        let [bars, artifacts] = ["bars", "artifacts"].map(|name| self.folder.path().join(name));
        let command = ["predict", "won", "--bars", bars.to_str().unwrap()];
        let settings = [("PLUGINS_DIR", plugins), ("ARTIFACTS_DIR", artifacts.to_str().unwrap())];
        command::run(&[&command, arguments].concat(), &settings)
    }
}

/// Returns the trained job, which is trained once and shared by the tests.
fn won() -> &'static Won {
    static WON: OnceLock<Won> = OnceLock::new();
    WON.get_or_init(Won::train)
}

/// Selects the rows of one family and set.
fn of_set<'r>(rows: &'r [ScoredRow], family: &'r str, set: &'r str) -> impl Iterator<Item = &'r ScoredRow> {
    rows.iter().filter(move |row| row.family == family && row.set == set)
}

/// Parses the output of `predict`: `symbol,date` → `score,probability,signal,rank_score`, as text.
fn predictions(csv: &str) -> BTreeMap<String, String> {
    let fields = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    fields.map(|fields| (fields[..2].join(","), fields[3..].join(","))).collect()
}

/// Computes each score's share of lower scores plus half of the share of equal ones.
fn mid_ranks(scores: &[f64]) -> Vec<f64> {
    let points = |other: f64, score: f64| if other < score { 1.0 } else { f64::from(u8::from(other == score)) / 2.0 };
    let rank = |score: f64| scores.iter().map(|&other| points(other, score)).sum::<f64>() / scores.len() as f64;
    scores.iter().map(|&score| rank(score)).collect()
}

#[test]
fn a_winning_ensemble_is_compared_with_chance_and_predict_reproduces_its_scores_bit_by_bit() {
    let won = won();
    let row = model(&won.result, "Ensemble");
    assert_eq!((&row["winner"], &row["members"]), (&json!(true), &json!(["lightgbm", "linear"])), "{row}");
    assert_eq!((&row["plugin"], &row["device"], &row["status"]), (&Value::Null, &Value::Null, &json!("ok")));
    let metrics = &won.result["model_metrics"];
    assert_eq!(metrics["model_name"], "Ensemble");
    for figure in ["auc", "auc_p", "brier_score", "calibration_slope", "flagged_share", "threshold"] {
        assert!(metrics[figure].is_f64(), "{figure} in {metrics}");
    }

    let definition = won.read("models/ensemble.json");
    let description: Value = serde_json::from_slice(&won.read("artifact.json")).unwrap();
    assert_eq!((&description["winner"], &description["models"][0]["members"]), (&json!("ensemble"), &row["members"]));
    assert_eq!(won.result["provenance"]["model_sha256"], sha256_hex(&definition));
    let definition: Value = serde_json::from_slice(&definition).unwrap();
    for (idx, file) in ["models/lightgbm.txt", "models/linear.json"].into_iter().enumerate() {
        assert_eq!(definition["members"][idx]["model_sha256"], sha256_hex(&won.read(file)));
    }

    let rows = ScoredRow::read(&won.artifact().join("predictions.csv"));
    let expected: BTreeMap<String, String> = of_set(&rows, "ensemble", "test")
        .map(|row| (row.bar.clone(), format!("{},{},{},{}", row.score, row.probability, row.signal, row.rank_score)))
        .collect();
    assert_eq!(expected.len() as u64, metrics["n_test"].as_u64().unwrap());
    let plugins = build::families();
    let output = won.predict(plugins.to_str().unwrap(), &[]);
    assert_eq!(output.code, 0, "{output:?}");
    let found = predictions(&output.stdout);
    for (bar, prediction) in &expected {
        assert_eq!(found.get(bar), Some(prediction), "{bar}");
    }
    let named = won.predict(plugins.to_str().unwrap(), &["--model", "Ensemble", "--symbol", "BBB"]);
    let of_one: BTreeMap<_, _> = found.into_iter().filter(|(bar, _)| bar.starts_with("BBB,")).collect();
    assert_eq!(predictions(&named.stdout), of_one);
}

#[test]
fn the_validation_scores_are_mean_mid_ranks_and_are_sufficient_to_recompute_the_figures() {
    let won = won();
    let rows = ScoredRow::read(&won.artifact().join("predictions.csv"));
    let standard_scores = |family: &str| -> Vec<f64> {
        of_set(&rows, family, "validation").map(|row| number(&row.standard_score)).collect()
    };
    let ranks = ["lightgbm", "linear"].map(|family| mid_ranks(&standard_scores(family)));
    let scored: Vec<&ScoredRow> = of_set(&rows, "ensemble", "validation").collect();
    assert!(scored.len() > 100 && ranks.iter().all(|ranks| ranks.len() == scored.len()));
    for (idx, row) in scored.iter().enumerate() {
        let mean = f64::midpoint(ranks[0][idx], ranks[1][idx]);
        assert!((number(&row.score) - mean).abs() < 1e-7, "{row:?}: {mean}");
    }
    let validation = &model(&won.result, "Ensemble")["validation"];
    let pooled = auc(scored.iter().map(|row| (number(&row.standard_score), row.is_hit())));
    assert_all_close(&[pooled], &[validation["auc"].as_f64().unwrap()]);
    let of_fold = |fold: &str| {
        let rows = scored.iter().filter(|row| row.fold == fold);
        auc(rows.map(|row| (number(&row.score), row.is_hit())))
    };
    let fold_aucs: Vec<f64> = ["1", "2", "3"].map(of_fold).to_vec();
    let expected = validation["fold_aucs"].as_array().unwrap().iter().map(|auc| auc.as_f64().unwrap());
    assert_all_close(&fold_aucs, &expected.collect::<Vec<_>>());
}

#[test]
fn predict_names_the_plugin_of_a_member_that_is_not_installed() {
    let won = won();
    // This folder lacks the plugin of the second member.
    let output = won.predict(build::plugins().to_str().unwrap(), &[]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("cargo xtask plugins linear"), "{output:?}");
    let output = won.predict(build::plugins().to_str().unwrap(), &["--model", "lightgbm"]);
    assert_eq!(output.code, 0, "{output:?}");
}

#[test]
fn a_job_with_an_ensemble_that_does_not_win_differs_only_in_the_row_of_the_ensemble() {
    let train = |ensemble: Option<bool>| {
        let mut job = jobs::job("compared");
        job["design"]["ml_training_config"]["families"] = json!(["Linear"]);
        if let Some(ensemble) = ensemble {
            job["design"]["ml_training_config"]["ensemble"] = json!(ensemble);
        }
        command::train(&job, &[("PLUGINS_DIR", build::families().to_str().unwrap())])
    };
    let without = train(None);
    assert_eq!(outside_run(&train(Some(false))), outside_run(&without));
    let mut with = train(Some(true));
    let row = with["models"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!((&row["name"], &row["winner"]), (&json!("Ensemble"), &json!(false)), "{row}");
    assert_eq!(row["validation"]["n_rows"], without["models"][0]["validation"]["n_rows"]);
    assert_eq!(with["design_config"].as_object_mut().unwrap().remove("ensemble"), Some(json!(true)));
    assert_eq!(outside_run(&with), outside_run(&without));
}
