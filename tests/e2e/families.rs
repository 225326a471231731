//! All model families in one job: the example job of the contract, the death of one family, and
//! reproducibility.

use std::path::{Path, PathBuf};

use oculus_tests::processes::{abort_if_running, descendants_of, in_role, mapped_from};
use oculus_tests::results::{failure, model, outside_run, warning};
use oculus_tests::{Redis, Worker, build, command, jobs, wording};
use serde_json::{Value, json};

const FAMILIES: [&str; 3] = ["LightGBM", "MLP", "LSTM"];

/// Starts a worker with every family of the project.
fn worker(redis: &Redis) -> Worker {
    Worker::start_with_plugins(redis, &build::families(), &[])
}

#[test]
fn the_job_of_the_contract_trains_every_family_and_reports_epochs() {
    let redis = Redis::start();
    let _worker = worker(&redis);
    let mut epochs = Vec::new();
    let result = redis.follow(&jobs::example("contract"), |event| {
        if event["details"]["epoch"].is_u64() {
            epochs.push(event["details"].clone());
        }
    });
    assert_eq!(result["status"], "success", "{result}");
    for family in FAMILIES {
        let row = model(&result, family);
        assert_eq!(row["status"], "ok", "{row}");
        let validation = &row["validation"];
        assert!(validation["auc"].is_f64() && validation["pr_auc"].is_f64(), "{row}");
        assert_eq!(
            validation["n_rows"], result["models"][0]["validation"]["n_rows"],
            "all families are validated on the same rows"
        );
        assert_eq!(result["run"]["devices"][family], "cpu", "{}", result["run"]);
    }
    let winners = result["models"].as_array().unwrap().iter().filter(|row| row["winner"] == true);
    let winners: Vec<_> = winners.map(|row| &row["name"]).collect();
    assert_eq!(winners, [&result["model_metrics"]["model_name"]]);
    let has_eta = |details: &&Value| details["family"] == "LSTM" && details["family_eta_s"].is_number();
    let with_loss = epochs.iter().filter(has_eta).filter(|details| details["loss"].is_f64());
    assert!(with_loss.count() > 0, "no epoch of the LSTM has a loss and an ETA: {epochs:?}");
    let percents: Vec<f64> = epochs.iter().map(|details| details["percent"].as_f64().unwrap()).collect();
    assert!(percents.is_sorted(), "{percents:?}");
}

#[test]
fn a_fit_of_the_mlp_reports_epochs() {
    let redis = Redis::start();
    let _worker = worker(&redis);
    let mut job = jobs::job("epochs");
    let config = &mut job["design"]["ml_training_config"];
    let mlp =
        json!({ "train_neural_networks": true, "nn_hidden_sizes": [512, 512], "nn_epochs": 60, "nn_patience": 60 });
    config.as_object_mut().unwrap().extend(mlp.as_object().unwrap().clone());
    let mut n_reported = 0;
    let result = redis.follow(&job, |event| {
        let details = &event["details"];
        let is_complete = details["epoch"].is_u64() && details["loss"].is_f64() && details["family_eta_s"].is_number();
        n_reported += usize::from(details["family"] == "MLP" && is_complete);
    });
    assert_eq!(model(&result, "MLP")["status"], "ok", "{result}");
    assert!(n_reported >= 2, "{n_reported} epochs were reported");
}

/// Copies the LSTM's library. In the copy, replaces every stored path of libtorch's folder by a
/// path that does not exist.
fn copy_without_libtorch_path(folder: &Path) -> PathBuf {
    let library = build::library_file("oculus_plugin_lstm");
    let mut bytes = std::fs::read(build::library("oculus_plugin_lstm")).unwrap();
    let path = b"libtorch/lib";
    let missing = b"libtorch/lid";
    let positions: Vec<usize> =
        bytes.windows(path.len()).enumerate().filter(|(_, it)| it == path).map(|it| it.0).collect();
    assert!(!positions.is_empty(), "{library} stores no path of libtorch");
    positions.iter().for_each(|&at| bytes[at..at + missing.len()].copy_from_slice(missing));
    let copy = folder.join("lstm").join(library);
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::write(&copy, bytes).unwrap();
    copy
}

#[test]
fn without_libtorch_the_lstm_is_skipped_with_a_remedy_and_with_the_variable_libtorch_it_trains() {
    let folder = tempfile::tempdir().unwrap();
    let lightgbm = folder.path().join(build::library_file("oculus_plugin_lightgbm"));
    std::fs::copy(build::library("oculus_plugin_lightgbm"), lightgbm).unwrap();
    copy_without_libtorch_path(folder.path());
    let plugins = ("PLUGINS_DIR", folder.path().to_str().unwrap());
    let mut job = jobs::job("lost");
    job["design"]["ml_training_config"]["train_lstm"] = json!(true);
    job["design"]["ml_training_config"]["lstm_hidden_size"] = json!(4);
    job["design"]["ml_training_config"]["lstm_epochs"] = json!(1);

    let result = command::train(&job, &[plugins]);
    assert_eq!(model(&result, "LightGBM")["status"], "ok");
    let lstm = model(&result, "train_lstm");
    assert_eq!(lstm["status"], "skipped", "{lstm}");
    let reason = lstm["reason"].as_str().unwrap();
    for part in ["oculus_plugin_lstm", "libtorch", "cargo xtask setup", "LIBTORCH"] {
        assert!(reason.contains(part), "no {part} in {reason}");
    }

    let libtorch = std::env::var("LIBTORCH").expect("`cargo xtask setup` makes cargo set LIBTORCH");
    let result = command::train(&job, &[plugins, ("LIBTORCH", &libtorch)]);
    assert_eq!(model(&result, "LSTM")["status"], "ok", "{}", result["models"]);
}

#[test]
fn invalid_fields_of_the_job_and_invalid_parameters_are_reported_together() {
    let mut job = jobs::job("wrong");
    job["design"]["years"] = json!(-1);
    let config = json!({ "cv_folds": 0, "train_lstm": true, "lstm_epochs": 0, "lgbm_num_leaves": 1 });
    job["design"]["ml_training_config"].as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let plugins = build::families();
    let output = command::run_on(&job, &["train", "--json"], &[("PLUGINS_DIR", plugins.to_str().unwrap())]);
    assert_eq!(output.code, 3, "{output:?}");
    let result = output.json();
    let message = failure(&result, "invalid_job");
    for (field, value) in [("design.years", "-1"), ("cv_folds", "0"), ("lstm_epochs", "0"), ("lgbm_num_leaves", "1")] {
        assert!(message.contains(&wording::found(field, value)), "no {field} in {message}");
    }
}

#[test]
fn an_lstm_that_aborts_in_every_fit_fails_with_its_signal_and_the_other_families_train() {
    let redis = Redis::start();
    let worker = worker(&redis);
    let copies = worker.plugins_state();
    let is_lstm = |library: &PathBuf| library.to_string_lossy().contains("oculus_plugin_lstm");
    let mut n_aborted = 0;
    let result = redis.follow(&jobs::example("struck"), |event| {
        if event["details"]["family"] == "LSTM" && event["details"]["epoch"].is_u64() {
            let plugins = in_role(&descendants_of(worker.pid()), "plugin-process");
            let lstm = plugins.into_iter().filter(|pid| mapped_from(*pid, &copies).iter().any(is_lstm));
            n_aborted += lstm.filter(|pid| abort_if_running(*pid)).count();
        }
    });
    assert!(n_aborted >= 3, "only {n_aborted} aborts");
    assert_eq!(result["status"], "success", "{result}");
    for family in ["LightGBM", "MLP"] {
        assert_eq!(model(&result, family)["status"], "ok");
    }
    let lstm = model(&result, "LSTM");
    assert_eq!(lstm["status"], "failed", "{lstm}");
    assert!(lstm["reason"].as_str().unwrap().contains("SIGABRT"), "{lstm}");
    assert!(warning(&result, "family_failed").contains("LSTM"), "{}", result["warnings"]);
}

#[test]
fn all_families_reproduce_their_bytes_for_any_concurrency() {
    let mut job = jobs::example("twice");
    let config = &mut job["design"]["ml_training_config"];
    config["lstm_hidden_size"] = json!(16);
    config["lstm_sequence_length"] = json!(30);
    config["lstm_epochs"] = json!(6);
    config["nn_epochs"] = json!(10);
    let plugins = build::families();
    let plugins = ("PLUGINS_DIR", plugins.to_str().unwrap());
    let alone = command::train(&job, &[plugins, ("WORKER_CONCURRENCY", "64")]);
    let concurrent = command::train(&job, &[plugins, ("WORKER_CONCURRENCY", "1")]);
    assert_eq!(alone["run"]["fits_side_by_side"], 1);
    for family in FAMILIES {
        assert_eq!(model(&alone, family)["status"], "ok", "{alone}");
    }
    assert_eq!(outside_run(&alone), outside_run(&concurrent));
}
