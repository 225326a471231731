//! The LSTM is rebuilt and published by the project's command while a worker runs.

use std::fs;

use oculus_tests::hostile::Library;
use oculus_tests::{Redis, Site, build, jobs, results};
use serde_json::{Value, json};

const LIBRARY: &str = "oculus_plugin_lstm";

/// Returns a build with another hash: it differs only in the name of the compiler, which no code
/// reads.
fn earlier_build() -> Library {
    let mut library = Library::from_file(&build::library(LIBRARY));
    let name = b"rustc version ";
    let at = library
        .bytes()
        .windows(name.len())
        .position(|it| it == name)
        .expect("the library contains the name of the compiler");
    library.bytes_mut()[at] = b'R';
    library
}

/// Returns a job with LightGBM and a small LSTM.
fn job(id: &str) -> Value {
    let mut job = jobs::with_search_family("LightGBM", id);
    let config = &mut job["design"]["ml_training_config"];
    config["train_lstm"] = json!(true);
    config["lstm_hidden_size"] = json!(4);
    config["lstm_epochs"] = json!(1);
    job
}

/// Runs a job and returns the hash of its LSTM.
fn trained_with(redis: &Redis, id: &str) -> String {
    redis.submit(&job(id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    let row = results::model(&result, "LSTM");
    assert_eq!(row["status"], "ok", "{row}");
    results::plugin_sha256(&result, "lstm").unwrap().to_owned()
}

#[test]
fn a_rebuilt_lstm_becomes_active_between_two_jobs_of_a_running_worker() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let folder = site.plugins().join("lstm");
    fs::create_dir(&folder).unwrap();
    let earlier = earlier_build();
    let path = earlier.publish(&folder, LIBRARY);
    let worker = site.worker(&redis, &[]);
    assert_eq!(trained_with(&redis, "before"), earlier.sha256());

    let target = build::folder().parent().unwrap();
    let mut command = build::cargo();
    command.args(["xtask", "plugins", "lstm", "--to"]).arg(site.plugins()).env("CARGO_TARGET_DIR", target);
    assert!(command.status().unwrap().success());
    let rebuilt = Library::from_file(&path);
    assert_ne!(rebuilt.sha256(), earlier.sha256());
    worker.wait_until_active(2, &rebuilt.sha256());
    assert_eq!(trained_with(&redis, "after"), rebuilt.sha256());
}
