//! What the commands answer, and by which exit code.

use oculus_tests::command::{self, Said};
use oculus_tests::{Redis, Worker, build, jobs};
use serde_json::{Value, json};

#[test]
fn exit_codes_tell_success_failure_refusal_and_bad_configuration_apart() {
    let train = |job: &Value, settings: &[(&str, &str)]| command::run_on(job, &["train", "--json"], settings);
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let said = train(&refused, &[]);
    assert_eq!((said.code, &said.json()["status"]), (3, &json!("failed")));
    let mut failed = jobs::job("failed");
    failed["design"]["ml_training_config"]["config_search_model"] = json!("misbehaving");
    failed["design"]["ml_training_config"]["misbehaving_act"] = json!("abort");
    let said = train(&failed, &[("PLUGINS_DIR", build::plugins_with_misbehaving().to_str().unwrap())]);
    assert_eq!((said.code, &said.json()["error"]["code"]), (1, &json!("plugin_died")));
    let said = train(&jobs::job("unset"), &[("WORKER_CONCURRENCY", "many")]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("WORKER_CONCURRENCY") && said.stderr.contains("many"), "{}", said.stderr);
    assert_eq!(command::run(&["train"], &[]).code, 2, "a job is needed");
}

#[test]
fn without_json_the_answer_is_for_people() {
    let Said { code, stdout, .. } = command::run_on(&jobs::job("shown"), &["train"], &[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("LightGBM") && stdout.contains("untouched test period"), "{stdout}");
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let Said { code, stdout, .. } = command::run_on(&refused, &["train"], &[]);
    assert_eq!(code, 3);
    assert!(stdout.contains("NOSUCH") && stdout.contains("what to do"), "{stdout}");
}

#[test]
fn submit_hands_a_job_over_and_waits_for_its_answer() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    let url = redis.url();
    let said = command::run_on(&jobs::job("waited-for"), &["submit", "--wait", "--json"], &[("REDIS_URL", &url)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.json(), redis.result_of("waited-for"));
    let mut refused = jobs::job("refused");
    refused["symbols"] = json!(["NOSUCH"]);
    let said = command::run_on(&refused, &["submit", "--wait", "--json"], &[("REDIS_URL", &url)]);
    assert_eq!((said.code, &said.json()["error"]["code"]), (3, &json!("no_bars")));
    let said = command::run_on(&jobs::job("left-alone"), &["submit"], &[("REDIS_URL", &url)]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "left-alone\n"));
    assert_eq!(redis.result_of("left-alone")["status"], "success");
}

#[test]
fn the_integration_test_passes() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    let said = command::run(&["integration-test", "--timeout", "60"], &[("REDIS_URL", &redis.url())]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("PASSED") && !said.stdout.contains("FAIL "), "{}", said.stdout);
}

#[test]
fn plugins_are_listed_and_what_is_none_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let library = build::plugins().join("oculus_plugin_lightgbm").read_dir().unwrap().next().unwrap().unwrap();
    std::fs::copy(library.path(), folder.path().join(library.file_name())).unwrap();
    let broken = format!("libbroken{}", std::env::consts::DLL_SUFFIX);
    std::fs::write(folder.path().join(&broken), "no library").unwrap();
    let settings = [("PLUGINS_DIR", folder.path().to_str().unwrap())];
    let said = command::run(&["plugin", "list", "-v"], &settings);
    assert_eq!(said.code, 0, "{said:?}");
    for part in ["lightgbm", "LightGBM", "num_leaves", broken.as_str(), "is no shared library"] {
        assert!(said.stdout.contains(part), "no {part} in {}", said.stdout);
    }
}
