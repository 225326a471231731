//! The same job gives the same bytes outside `run`, for any concurrency and after the death of a plugin process.

use oculus_tests::command::train;
use oculus_tests::processes::kill;
use oculus_tests::results::outside_run;
use oculus_tests::{Redis, Worker, jobs};
use serde_json::json;

#[test]
fn single_and_concurrent_fits_give_the_same_bytes() {
    let job = jobs::example("again");
    let n_cores = std::thread::available_parallelism().unwrap().get();
    let alone = train(&job, &[("WORKER_CONCURRENCY", &n_cores.to_string())]);
    let side_by_side = train(&job, &[("WORKER_CONCURRENCY", "1")]);
    assert_eq!(alone["run"]["fits_side_by_side"], json!(1));
    assert_eq!(side_by_side["run"]["fits_side_by_side"], json!(n_cores));
    assert_eq!(outside_run(&alone), outside_run(&side_by_side));
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
fn another_seed_gives_another_model() {
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
    // The folds are prepared and some trials are complete by then; a new process does the rest.
    redis.wait_for_trial("struck", 8);
    kill(worker.wait_for_plugin());
    let struck = redis.result_of("struck");
    worker.wait_for_event("death of the plugin", |event| event.is_plugin_death(1));
    assert_eq!(outside_run(&struck), outside_run(&train(&job, &[])));
}
