//! A job's result, without its `run` block, has equal bytes for any concurrency. It also has these
//! bytes after the death of a plugin process.

use oculus_tests::command::train;
use oculus_tests::processes::kill;
use oculus_tests::results::outside_run;
use oculus_tests::{Redis, Worker, jobs};
use serde_json::json;

#[test]
fn single_and_concurrent_fits_produce_the_same_bytes() {
    let job = jobs::example("example");
    let n_cores = std::thread::available_parallelism().unwrap().get();
    // The cores are divided among the jobs that may run at the same time.
    let sequential = train(&job, &[("WORKER_CONCURRENCY", &n_cores.to_string())]);
    let concurrent = train(&job, &[("WORKER_CONCURRENCY", "1")]);
    assert_eq!(sequential["run"]["fits_side_by_side"], json!(1));
    assert_eq!(concurrent["run"]["fits_side_by_side"], json!(n_cores));
    assert_eq!(outside_run(&sequential), outside_run(&concurrent));
}

#[test]
fn concurrent_jobs_do_not_change_each_others_results() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "3")]);
    let mut job = jobs::example("alone");
    job["design"]["recommended_n_iter_search"] = json!(8);
    for id in ["one", "two", "three"] {
        job["build_id"] = json!(id);
        redis.submit(&job);
    }
    for id in ["one", "two", "three"] {
        job["build_id"] = json!(id);
        assert_eq!(outside_run(&redis.result_of(id)), outside_run(&train(&job, &[])), "{id}");
    }
}

#[test]
fn another_seed_produces_another_model() {
    let mut job = jobs::job("seeded");
    let first = train(&job, &[]);
    job["design"]["ml_training_config"]["seed"] = json!(43);
    let second = train(&job, &[]);
    assert_ne!(first["provenance"]["model_sha256"], second["provenance"]["model_sha256"]);
}

#[test]
fn a_plugin_process_killed_during_the_search_changes_no_byte() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let job = jobs::slow_job("struck");
    redis.submit(&job);
    // At this point the folds are prepared and some trials are complete; a new process runs the
    // remaining trials.
    redis.wait_for_trial("struck", 8);
    kill(worker.wait_for_plugin());
    let struck = redis.result_of("struck");
    worker.wait_for_event("death of the plugin", |event| event.is_plugin_death(1));
    assert_eq!(outside_run(&struck), outside_run(&train(&job, &[])));
}
