//! One fit holds the GPU at a time, across all jobs and workers. A job that waits for the GPU
//! reports this in its progress.

use std::fs::File;
use std::path::Path;

use oculus_tests::results::model;
use oculus_tests::{Redis, SOON, Worker, build, eventually, jobs, wording};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Starts a worker with a family that claims a GPU. `machine` is the temporary folder with the file
/// that represents the GPU.
fn worker_on(machine: &TempDir, redis: &Redis, settings: &[(&str, &str)]) -> Worker {
    let machine_settings = [("TMPDIR", machine.path().to_str().unwrap())];
    Worker::start_with_plugins(redis, &build::plugins_with_accelerated(), &[&machine_settings, settings].concat())
}

/// Returns a job whose fits on the GPU have `n_steps` steps of 20 ms each.
fn on_gpu(id: &str, n_steps: u32) -> Value {
    let mut job = jobs::job(id);
    let config = &mut job["design"]["ml_training_config"];
    config["families"] = json!(["accelerated"]);
    config["acc_epochs"] = json!(n_steps);
    job
}

fn is_in_use(machine: &TempDir) -> bool {
    let device: &Path = &machine.path().join("oculus-test-device");
    File::open(device).is_ok_and(|device| device.try_lock().is_err())
}

#[test]
fn fits_of_concurrent_jobs_never_overlap_on_the_gpu() {
    let redis = Redis::start();
    let machine = tempfile::tempdir().unwrap();
    let _worker = worker_on(&machine, &redis, &[("WORKER_CONCURRENCY", "3")]);
    let ids = ["one", "two", "three"];
    ids.iter().for_each(|id| redis.submit(&on_gpu(id, 30)));
    for id in ids {
        let result = redis.result_of(id);
        let row = model(&result, "Accelerated");
        assert_eq!((&row["status"], &row["device"]), (&json!("ok"), &json!("cuda")), "{row}");
        assert_eq!(result["run"]["devices"], json!({ "Accelerated": "cuda", "LightGBM": "cpu" }));
    }
}

#[test]
fn a_job_reports_that_it_waits_for_the_gpu_and_acquires_it_when_the_holder_is_killed() {
    let redis = Redis::start();
    let machine = tempfile::tempdir().unwrap();
    let mut holder = worker_on(&machine, &redis, &[("JOB_QUEUE", "held")]);
    let endless = on_gpu("endless", 1_000_000);
    redis.query::<u32>(&["LPUSH", "held", &endless.to_string()]);
    eventually("fit on the GPU", SOON, || is_in_use(&machine).then_some(()));
    let _other = worker_on(&machine, &redis, &[]);
    redis.submit(&on_gpu("patient", 1));
    redis.wait_for_progress("patient", "wait for the GPU", |event| {
        let details = &event["details"];
        details["family"] == "Accelerated" && details["message"].as_str().unwrap().contains(wording::WAITS_FOR_GPU)
    });
    holder.kill();
    let row = model(&redis.result_of("patient"), "Accelerated").clone();
    assert_eq!(row["status"], "ok", "{row}");
}

#[test]
fn a_family_on_the_cpu_does_not_wait_for_the_gpu() {
    let redis = Redis::start();
    let machine = tempfile::tempdir().unwrap();
    let _worker = worker_on(&machine, &redis, &[]);
    redis.submit(&on_gpu("endless", 1_000_000));
    eventually("fit on the GPU", SOON, || is_in_use(&machine).then_some(()));
    let mut job = on_gpu("modest", 1);
    job["design"]["ml_training_config"]["acc_device"] = json!("cpu");
    redis.submit(&job);
    assert_eq!(model(&redis.result_of("modest"), "Accelerated")["device"], "cpu");
    let _no_gpu = worker_on(&machine, &redis, &[("GPU_ENABLED", "false"), ("JOB_QUEUE", "frugal")]);
    redis.query::<u32>(&["LPUSH", "frugal", &on_gpu("frugal", 1).to_string()]);
    assert_eq!(model(&redis.result_of("frugal"), "Accelerated")["device"], "cpu");
}

#[test]
fn the_progress_of_a_fit_reports_epoch_loss_and_eta() {
    let redis = Redis::start();
    let machine = tempfile::tempdir().unwrap();
    let _worker = worker_on(&machine, &redis, &[]);
    redis.submit(&on_gpu("watched", 1_000_000));
    let event = redis.wait_for_progress("watched", "epoch", |event| event["details"]["epoch"].is_u64());
    let details = &event["details"];
    let epoch = details["epoch"].as_u64().unwrap();
    let message = details["message"].as_str().unwrap();
    let loss = format!("{:.4}", 1.0 / epoch as f64);
    for part in ["Accelerated", &epoch.to_string(), "1000000", &loss] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert_eq!((&details["family"], &details["fit"]), (&json!("Accelerated"), &json!("folds")));
    assert_eq!((&details["n_epochs"], details["loss"].as_f64()), (&json!(1_000_000), Some(1.0 / epoch as f64)));
    assert!(details["family_eta_s"].as_f64().unwrap() > 0.0 && details.get("tune_loss").is_none(), "{details}");
}
