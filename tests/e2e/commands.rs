//! Output and exit codes of the commands.

use oculus_tests::command::{self, CommandOutput};
use oculus_tests::{Redis, Worker, build, jobs};
use serde_json::{Value, json};

#[test]
fn exit_codes_distinguish_success_failure_refusal_and_invalid_configuration() {
    let train = |job: &Value, settings: &[(&str, &str)]| command::run_on(job, &["train", "--json"], settings);
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let output = train(&refused, &[]);
    assert_eq!((output.code, &output.json()["status"]), (3, &json!("failed")));
    let mut failed = jobs::job("failed");
    failed["design"]["ml_training_config"]["config_search_model"] = json!("misbehaving");
    failed["design"]["ml_training_config"]["misbehaving_act"] = json!("abort");
    let output = train(&failed, &[("PLUGINS_DIR", build::plugins_with_misbehaving().to_str().unwrap())]);
    assert_eq!((output.code, &output.json()["error"]["code"]), (1, &json!("plugin_died")));
    let output = train(&jobs::job("unset"), &[("WORKER_CONCURRENCY", "many")]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("WORKER_CONCURRENCY") && output.stderr.contains("many"), "{}", output.stderr);
    assert_eq!(command::run(&["train"], &[]).code, 2, "the argument for the job is missing");
}

#[test]
fn without_the_json_flag_the_output_is_a_readable_summary() {
    let CommandOutput { code, stdout, .. } = command::run_on(&jobs::job("shown"), &["train"], &[]);
    assert_eq!(code, 0);
    let metrics = &command::train(&jobs::job("shown"), &[])["model_metrics"];
    let auc = format!("{:.3}", metrics["auc"].as_f64().unwrap());
    for part in ["shown", "LightGBM", auc.as_str(), metrics["test_from"].as_str().unwrap()] {
        assert!(stdout.contains(part), "no {part} in {stdout}");
    }
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let CommandOutput { code, stdout, .. } = command::run_on(&refused, &["train"], &[]);
    assert_eq!(code, 3);
    let error = &command::run_on(&refused, &["train", "--json"], &[]).json()["error"];
    for part in ["code", "message", "hint"] {
        assert!(stdout.contains(error[part].as_str().unwrap()), "no {part} of {error} in {stdout}");
    }
    assert!(stdout.contains("NOSUCH"), "{stdout}");
}

#[test]
fn submit_queues_a_job_and_waits_for_its_result() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    let url = redis.url();
    let output = command::run_on(&jobs::job("waited-for"), &["submit", "--wait", "--json"], &[("REDIS_URL", &url)]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.json(), redis.result_of("waited-for"));
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let output = command::run_on(&refused, &["submit", "--wait", "--json"], &[("REDIS_URL", &url)]);
    assert_eq!((output.code, &output.json()["error"]["code"]), (3, &json!("no_bars")));
    let output = command::run_on(&jobs::job("left-alone"), &["submit"], &[("REDIS_URL", &url)]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "left-alone\n"));
    assert_eq!(redis.result_of("left-alone")["status"], "success");
}

#[test]
fn the_integration_test_passes() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    let output = command::run(&["integration-test", "--timeout", "60"], &[("REDIS_URL", &redis.url())]);
    assert_eq!(output.code, 0, "{output:?}");
    let n_passed = output.stdout.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(n_passed > 20 && !output.stdout.contains("FAIL"), "{}", output.stdout);
}

#[test]
fn plugins_are_listed_and_a_file_that_is_not_a_plugin_has_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let good = build::library_file("oculus_plugin_lightgbm");
    let broken = build::library_file("broken");
    std::fs::copy(build::library("oculus_plugin_lightgbm"), folder.path().join(good)).unwrap();
    std::fs::write(folder.path().join(&broken), "no library").unwrap();
    let settings = [("PLUGINS_DIR", folder.path().to_str().unwrap())];
    let listed = command::run(&["plugin", "list", "--json"], &settings).json();
    let is_broken = |entry: &&Value| entry["path"].as_str().unwrap().ends_with(&broken);
    let rejection = listed["plugins"].as_array().unwrap().iter().find(is_broken).unwrap();
    assert_eq!((&rejection["state"], &rejection["active"]), (&json!("quarantined"), &Value::Null), "{listed}");
    let reason = rejection["reason"].as_str().unwrap();
    assert!(reason.contains("no library"), "the first bytes of the file are quoted: {reason}");
    let output = command::run(&["plugin", "list", "-v"], &settings);
    assert_eq!(output.code, 0, "{output:?}");
    for part in ["lightgbm", "LightGBM", "num_leaves", broken.as_str(), reason.lines().next().unwrap()] {
        assert!(output.stdout.contains(part), "no {part} in {}", output.stdout);
    }
}
