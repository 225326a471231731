//! The pipeline finds planted signals, finds nothing in noise, and does not read the test period
//! during the search.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use oculus_job::hash::sha256_hex;
use oculus_market_data::synth::Kind;
use oculus_pipeline::parallel::parallel_map;
use oculus_tests::command::{train, train_on};
use oculus_tests::market;
use oculus_tests::results::model;
use oculus_tests::{build, jobs};
use serde_json::{Value, json};
use tempfile::TempDir;

const SYMBOLS: [&str; 4] = ["AAA", "BBB", "CCC", "DDD"];
/// Number of weekdays in eight and a half years: a warm-up and seven labelled years.
const N_DAYS: usize = 2200;
const N_SEEDS: u64 = 12;

/// Returns a job on synthetic bars with one label, a rise of 2 % in five days.
fn job(id: &str) -> Value {
    let mut job = jobs::job(id);
    job["symbols"] = json!(SYMBOLS);
    job["design"]["years"] = json!(7);
    job
}

/// Writes synthetic bars of all symbols into a new folder.
fn synthetic_bars(seed: u64, planted: Kind) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    market::write(folder.path(), &SYMBOLS, N_DAYS, seed, planted);
    folder
}

#[test]
fn random_walks_are_not_forecast() {
    build::families();
    let seeds: Vec<u64> = (1..=N_SEEDS).collect();
    let mut job = job("null");
    let config = &mut job["design"]["ml_training_config"];
    let neural = json!({ "train_lstm": true, "lstm_hidden_size": 16, "lstm_sequence_length": 20, "lstm_patience": 4,
                         "train_neural_networks": true, "nn_epochs": 30 });
    config.as_object_mut().unwrap().extend(neural.as_object().unwrap().clone());
    let results = parallel_map(2, &seeds, |seed| train_all_on(synthetic_bars(*seed, Kind::Walk).path(), &job));
    for family in ["LightGBM", "MLP", "LSTM"] {
        let aucs = results.iter().map(|result| validation_figures(result, family)["auc"].as_f64().unwrap());
        let mean = aucs.sum::<f64>() / results.len() as f64;
        println!("validation AUC of {family} on {N_SEEDS} null markets: mean {mean:.4}");
        assert!((mean - 0.5).abs() <= 0.03, "{family}: mean {mean}");
    }
    let metrics: Vec<Value> = results.into_iter().map(|mut result| result["model_metrics"].take()).collect();
    let aucs: Vec<f64> = metrics.iter().map(|metrics| metrics["auc"].as_f64().unwrap()).collect();
    let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
    let deviation = (aucs.iter().map(|auc| (auc - mean).powi(2)).sum::<f64>() / aucs.len() as f64).sqrt();
    println!("test AUC of {N_SEEDS} null markets: mean {mean:.4}, deviation {deviation:.4}, each {aucs:.3?}");
    assert!((mean - 0.5).abs() <= 0.03, "mean {mean} of {aucs:?}");
    // By chance, one in forty markets is expected to have an interval above zero.
    let claims = |metrics: &&Value| metrics["auc_minus_baseline_ci95"][0].as_f64().unwrap() > 0.0;
    let n_claims = metrics.iter().filter(claims).count();
    assert!(n_claims <= 1, "{n_claims} of {N_SEEDS} null markets are claimed to be forecast");
}

#[test]
fn a_planted_signal_is_found() {
    let planted = Kind::Rebound { rsi_below: 38.0, drift: 0.02 };
    let result = train_on(synthetic_bars(1, planted).path(), &job("planted"));
    let metrics = &result["model_metrics"];
    let excess = metrics["auc_minus_baseline"].as_f64().unwrap();
    println!("planted signal: {excess:.4} {} over {}", metrics["auc_minus_baseline_ci95"], metrics["auc"]);
    assert!(excess > 0.05, "{metrics}");
    assert!(metrics["auc_minus_baseline_ci95"][0].as_f64().unwrap() > 0.02, "{metrics}");
    let features = result["extracted_rules"]["top_features"].as_array().unwrap();
    // Correlated columns share the importance of the planted one, so the importance of all RSI
    // columns is added. By chance, the RSI columns would have a twentieth of the importance,
    // because they are four of about eighty columns.
    let is_rsi = |feature: &&Value| feature["feature"].as_str().unwrap().starts_with("RSI_");
    let rsi_importance = |features: &[Value]| {
        features.iter().filter(is_rsi).map(|feature| feature["importance"].as_f64().unwrap()).sum::<f64>()
    };
    assert!(rsi_importance(features) > 0.1 && rsi_importance(&features[..5]) > 0.05, "{features:?}");
}

#[test]
fn the_lstm_finds_a_signal_that_depends_on_earlier_rows_better_than_trees_do() {
    let mut job = job("remembered");
    let design = &mut job["design"];
    design["forward_returns_days_options"] = json!([1]);
    design["profit_threshold_options"] = json!([0.5]);
    let config = &mut design["ml_training_config"];
    for (name, value) in
        [("train_lstm", json!(true)), ("lstm_hidden_size", json!(32)), ("lstm_sequence_length", json!(40))]
    {
        config[name] = value;
    }
    let bars = synthetic_bars(1, Kind::Gaps { strength: 1.0 });
    let result = train_all_on(bars.path(), &job);
    let auc = |family: &str| validation_figures(&result, family)["auc"].as_f64().unwrap();
    println!("remembered gaps: LSTM {:.3}, LightGBM {:.3}", auc("LSTM"), auc("LightGBM"));
    let gain = &validation_figures(&result, "LSTM")["gain_over_lead"];
    let error = &validation_figures(&result, "LSTM")["gain_standard_error"];
    assert!(gain.as_f64().unwrap() > 2.0 * error.as_f64().unwrap(), "{}", result["models"]);
    assert_eq!(result["model_metrics"]["model_name"], "LSTM", "the winner on validation rows is the tested model");
    assert!(result["model_metrics"]["auc"].as_f64().unwrap() > 0.6, "{}", result["model_metrics"]);
}

/// Trains a job with every family of the project installed.
fn train_all_on(bars: &Path, job: &Value) -> Value {
    let source = format!("dir:{}", bars.display());
    let artifacts = artifacts().display().to_string();
    let plugins = build::families();
    train(job, &[("BARS_SOURCE", &source), ("PLUGINS_DIR", plugins.to_str().unwrap()), ("ARTIFACTS_DIR", &artifacts)])
}

/// Returns the artifacts folder of all jobs of these tests.
fn artifacts() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

fn validation_figures<'r>(result: &'r Value, family: &str) -> &'r Value {
    let row = model(result, family);
    assert_eq!(row["status"], "ok", "{row}");
    &row["validation"]
}

#[test]
fn mutated_test_bars_change_no_model_search_or_strategy() {
    let mut job = jobs::example("mutated");
    job["design"]["ml_training_config"]["lstm_hidden_size"] = json!(32);
    let original = train_all_on(&jobs::bars(), &job);
    let test_from = original["provenance"]["splits"]["test"][0].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for symbol in ["AAPL", "MSFT"] {
        mutate(&jobs::bars(), folder.path(), &format!("{symbol}.csv"), test_from);
    }
    let mutated = train_all_on(folder.path(), &job);
    assert_eq!(model_hashes(&mutated), model_hashes(&original));
    assert_eq!(model_hashes(&mutated).len(), 4, "three families and the baseline");
    assert_ne!(mutated["provenance"]["bars"]["sha256"], original["provenance"]["bars"]["sha256"]);
    assert_ne!(mutated["model_metrics"]["auc"], original["model_metrics"]["auc"]);
    assert_eq!(mutated["provenance"]["model_sha256"], original["provenance"]["model_sha256"]);
    assert_eq!(mutated["config_search"].to_string(), original["config_search"].to_string());
    let models = |result: &Value| {
        let mut models = result["models"].clone();
        without_test(&mut models);
        models.to_string()
    };
    assert_eq!(models(&mutated), models(&original));
    assert_eq!(mutated["provenance"]["splits"], original["provenance"]["splits"]);
    assert_ne!(mutated["strategy_optimization"]["test"], original["strategy_optimization"]["test"]);
    let rules = &original["extracted_rules"];
    let all = ["entry_rules", "exit_rules", "rule_sets"].map(|part| rules[part].as_array().unwrap());
    let mined: Vec<&Value> = all.into_iter().flatten().filter(|rule| rule["source"] == "mined").collect();
    assert!(mined.len() >= 5 && mined.iter().all(|rule| rule["in_sample"].is_object()), "{mined:?}");
    assert!(original["strategy_optimization"]["parameters"].is_object());
    assert_eq!(without_test_and_run(mutated).to_string(), without_test_and_run(original).to_string());
}

/// Returns the file of every saved model with its SHA-256.
fn model_hashes(result: &Value) -> BTreeMap<String, String> {
    let folder = PathBuf::from(result["run"]["artifacts"].as_str().unwrap()).join("models");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| (file.file_name().unwrap().to_string_lossy().into(), sha256_hex(&std::fs::read(&file).unwrap())))
        .collect()
}

/// Copies a file and changes prices and volumes from `test_from` on; every bar stays valid.
fn mutate(from: &Path, to: &Path, file: &str, test_from: &str) {
    let text = std::fs::read_to_string(from.join(file)).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let mut n_mutated = 0;
    let lines: Vec<String> = lines
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            if fields[0] < test_from {
                return line.to_owned();
            }
            n_mutated += 1;
            let factor = 1.5 + 0.1 * f64::from(n_mutated % 7);
            let numbers = fields[1..].iter().map(|field| (field.parse::<f64>().unwrap() * factor).to_string());
            [fields[0].to_owned()].into_iter().chain(numbers).collect::<Vec<_>>().join(",")
        })
        .collect();
    assert!(n_mutated > 100, "only {n_mutated} bars of {file} are from {test_from} on");
    std::fs::write(to.join(file), format!("{header}\n{}\n", lines.join("\n"))).unwrap();
}

/// Returns a result without the fields that depend on test bars, and without those that differ
/// between any two runs.
fn without_test_and_run(mut result: Value) -> Value {
    let metrics = &result["model_metrics"];
    let kept = json!({ "threshold": metrics["threshold"], "n_train": metrics["n_train"], "label": metrics["label"] });
    result["model_metrics"] = kept;
    result["provenance"]["bars"]["sha256"] = Value::Null;
    let fields = result.as_object_mut().unwrap();
    // The verdict and the ledger depend on the test period.
    let of_test = ["run", "verdict", "submissions"].map(|name| fields.remove(name));
    assert!(of_test.iter().all(Option::is_some));
    fields["canaries"]["volatility_baseline"]["reading"] = Value::Null;
    // Warnings about the test period, and about its bars.
    let of_test = |code: &str| code.starts_with("auc_") || code.ends_with("_spike") || code == "constant_model";
    result["warnings"].as_array_mut().unwrap().retain(|warning| !of_test(warning["code"].as_str().unwrap()));
    without_test(&mut result);
    result
}

/// Removes every field `test`, and the canaries' figures on the test period.
fn without_test(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["test", "test_auc", "test_baseline_auc"].contains(&name.as_str()));
            fields.values_mut().for_each(without_test);
        }
        Value::Array(list) => list.iter_mut().for_each(without_test),
        _ => {}
    }
}
