//! The log of a worker answers why a job failed, and in which phase a job is.

use oculus_tests::log::LogEvent;
use oculus_tests::processes::kill;
use oculus_tests::{Worker, jobs};

use super::*;

/// Waits for the warning with the outcome of a job, and returns it.
fn outcome(worker: &Worker, job: &str) -> LogEvent {
    let is_outcome = |event: &LogEvent| event.text("job") == Some(job) && event.has("code");
    let event = worker.wait_for_event(&format!("outcome of {job}"), is_outcome);
    assert_eq!(event.level(), "WARN", "{event:?}");
    event
}

#[test]
fn a_job_without_a_model_is_a_warning_with_code_phase_message_and_signal() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("MAX_CRASHES", "1")]);
    let mut refused = jobs::job("refused");
    refused["design"]["years"] = json!(0);
    redis.submit(&refused);
    let event = outcome(&worker, "refused");
    assert_eq!((event.text("code"), event.text("phase")), (Some("invalid_job"), Some("queued")));
    assert!(event.mentions("design.years: found 0"), "{event:?}");

    redis.push("missing");
    assert_eq!(outcome(&worker, "missing").text("code"), Some("payload_missing"));

    redis.submit(&jobs::endless_job("cancelled"));
    worker.wait_for_event("start", |event| event.is_start_of("cancelled"));
    redis.cancel("cancelled");
    assert_eq!(outcome(&worker, "cancelled").text("code"), Some("cancelled"));

    redis.submit(&jobs::endless_job("crashed"));
    kill(worker.wait_for_children()[0]);
    let event = outcome(&worker, "crashed");
    assert_eq!((event.text("code"), event.number("signal")), (Some("job_crashed"), Some(9)));
    assert!(event.mentions("SIGKILL") && event.has("phase"), "{event:?}");
}

#[test]
fn each_phase_of_a_job_is_logged_at_info_and_no_tick_of_a_fit_at_debug() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("LOG_LEVEL", "DEBUG")]);
    redis.submit(&jobs::job("logged"));
    assert_eq!(redis.result_of("logged")["status"], "success");
    worker.wait_for_event("outcome", |event| event.text("job") == Some("logged") && event.has("seconds"));
    let events = worker.events();
    let starts = events.iter().filter(|event| event.text("job") == Some("logged") && event.has("elapsed_s"));
    let phases: Vec<_> = starts.map(|event| (event.level(), event.text("phase").unwrap())).collect();
    let expected =
        ["data_fetch", "feature_engineering", "config_search", "training", "rule_extraction", "strategy_optimization"];
    assert_eq!(phases, expected.map(|phase| ("INFO", phase)));
    // A line of a job process ends with its fields.
    let ticks = events.iter().filter(|event| event.mentions(" fraction=") || event.mentions(" step="));
    assert_eq!(ticks.count(), 0, "{}", worker.log());
}
