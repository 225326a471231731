//! The life of a worker: signals, reloads of its configuration, and its end after a number of jobs.

use std::time::Duration;

use oculus_tests::log::LogEvent;
use oculus_tests::processes::wait_until_gone;
use oculus_tests::redis_server::LEASES;
use oculus_tests::{Redis, SOON, Worker, build, command, eventually, jobs};

/// Writes the file `.env` of a worker, and makes the worker read it.
fn reload(worker: &Worker, settings: &str) {
    std::fs::write(worker.folder().join(".env"), settings).unwrap();
    worker.reload();
}

/// Returns whether an event names a variable that has changed.
fn is_change_of<'e>(name: &'e str, level: &'e str) -> impl Fn(&LogEvent) -> bool + 'e {
    move |event| event.level() == level && event.text("name") == Some(name)
}

#[test]
fn jobs_that_outlast_the_time_limit_of_a_drain_are_requeued_without_counting_an_attempt() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[("DRAIN_SECONDS", "1")]);
    redis.submit(&jobs::endless_job("endless"));
    let children = worker.wait_for_children();
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    wait_until_gone(&children, Duration::from_secs(1));
    assert_eq!(redis.waiting(), ["endless"]);
    assert_eq!(redis.job_counter("endless", "attempts"), Some(0));
    worker.wait_for_event("time limit", |event| event.level() == "WARN" && event.number("drain_seconds") == Some(1));
}

#[test]
fn a_second_signal_requeues_at_once_within_the_time_limit_of_a_drain() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[("DRAIN_SECONDS", "3600")]);
    redis.submit(&jobs::endless_job("endless"));
    worker.wait_for_children();
    worker.terminate();
    worker.wait_for_text("draining");
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    assert_eq!(redis.waiting(), ["endless"]);
}

#[test]
fn a_reload_changes_the_number_of_concurrent_jobs_without_stopping_one() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "")]);
    let is_started = |id: &'static str| move |event: &LogEvent| event.is_start_of(id);
    reload(&worker, "WORKER_CONCURRENCY=1\n");
    worker.wait_for_event("change", is_change_of("WORKER_CONCURRENCY", "INFO"));
    redis.submit(&jobs::endless_job("first"));
    worker.wait_for_event("start", is_started("first"));
    redis.submit(&jobs::endless_job("second"));
    assert_eq!(redis.waiting(), ["second"]);
    reload(&worker, "WORKER_CONCURRENCY=2\n");
    worker.wait_for_event("start", is_started("second"));
    reload(&worker, "WORKER_CONCURRENCY=1\n");
    worker.wait_for_events("changes", 3, is_change_of("WORKER_CONCURRENCY", "INFO"));
    redis.push("third");
    redis.cancel("first");
    assert_eq!(redis.result_of("first")["status"], "cancelled");
    assert_eq!(redis.waiting(), ["third"], "one job still runs");
    redis.cancel("second");
    assert_eq!(redis.result_of("third")["error"]["code"], "payload_missing");
    assert_eq!(redis.result_of("second")["status"], "cancelled");
}

#[test]
fn a_reload_changes_the_level_of_the_log_and_names_what_needs_a_restart() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    reload(&worker, "LOG_LEVEL=DEBUG\nHEARTBEAT_SECONDS=7\nBACKEND_TOKEN=hunter2\nHEARTBEET_SECONDS=7\n");
    let change = worker.wait_for_event("change", is_change_of("LOG_LEVEL", "INFO"));
    assert_eq!((change.text("from"), change.text("to")), (Some("INFO"), Some("DEBUG")));
    let restart = worker.wait_for_event("restart", is_change_of("HEARTBEAT_SECONDS", "WARN"));
    assert!(restart.mentions("restart"), "{restart:?}");
    worker.wait_for_event("secret", is_change_of("BACKEND_TOKEN", "WARN"));
    worker.wait_for_event("misspelt name", |event| event.warns_of("HEARTBEET_SECONDS"));
    redis.push(r#"{"build_id": "loud", "symbols": 17}"#);
    redis.result_of("loud");
    worker.wait_for_event("debug line", |event| event.level() == "DEBUG");
    reload(&worker, "LOG_LEVEL=ERROR\nHEARTBEAT_SECONDS=7\n");
    worker.wait_for_events("changes", 2, is_change_of("LOG_LEVEL", "INFO"));
    worker.wait_for_events("restart", 2, is_change_of("HEARTBEAT_SECONDS", "WARN"));
    redis.push(r#"{"build_id": "quiet", "symbols": 17}"#);
    redis.result_of("quiet");
    reload(&worker, "LOG_LEVEL=INFO\n");
    worker.wait_for_events("changes", 3, is_change_of("LOG_LEVEL", "INFO"));
    assert_eq!(worker.n_events(|event| event.text("job") == Some("quiet")), 0, "{}", worker.log());
    assert!(!worker.log().contains("hunter2"));
}

#[test]
fn an_invalid_configuration_is_rejected_with_every_problem_and_the_current_one_stays() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    reload(&worker, "WORKER_CONCURRENCY=many\nMAX_CRASHES=0\nLOG_LEVEL=ERROR\n");
    let rejection = worker.wait_for_event("rejection", |event| event.level() == "ERROR");
    for part in ["WORKER_CONCURRENCY", "many", "MAX_CRASHES"] {
        assert!(rejection.mentions(part), "no {part} in {rejection:?}");
    }
    redis.push("absent");
    assert_eq!(redis.result_of("absent")["error"]["code"], "payload_missing");
    worker.wait_for_event("refusal", |event| event.level() == "WARN" && event.text("job") == Some("absent"));
}

#[test]
fn a_reload_applies_the_trust_list_of_plugins() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let list = worker.folder().join("trusted");
    std::fs::write(&list, "").unwrap();
    reload(&worker, &format!("PLUGINS_TRUST=listed\nPLUGINS_TRUSTED={}\n", list.display()));
    let file = build::library_file("oculus_plugin_lightgbm");
    worker.wait_for_event("rejection", |event| event.is_rejection_of(&file) && event.mentions("PLUGINS_TRUSTED"));
    redis.submit(&jobs::job("untrusted"));
    assert_eq!(redis.result_of("untrusted")["status"], "failed");
    reload(&worker, "");
    worker.wait_for_events("changes", 2, is_change_of("PLUGINS_TRUST", "INFO"));
    redis.submit(&jobs::job("trusted"));
    eventually("success", SOON * 3, || Some(redis.result_of("trusted")).filter(|result| result["status"] == "success"));
}

#[test]
fn a_worker_claims_as_many_waiting_entries_as_it_has_free_slots() {
    let redis = Redis::start();
    for id in ["a", "b", "c", "d", "e", "f"] {
        redis.submit(&jobs::endless_job(id));
    }
    let worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "4")]);
    for id in ["a", "b", "c", "d"] {
        worker.wait_for_event("start", |event| event.is_start_of(id));
    }
    assert_eq!(redis.waiting().len(), 2);
    redis.cancel("b");
    worker.wait_for_event("start", |event| event.is_start_of("e"));
    assert_eq!(redis.waiting(), ["f"]);
    assert_eq!(redis.query::<u64>(&["ZCARD", LEASES]), 4);
}

#[test]
fn a_worker_with_a_number_of_jobs_fetches_no_more_and_exits() {
    let redis = Redis::start();
    (0..5).for_each(|n| redis.push(&format!("absent-{n}")));
    let mut worker = Worker::launch_with_flags(&redis, &["--jobs", "3"], &[("WORKER_CONCURRENCY", "8")]);
    assert!(worker.wait_for_end(SOON).success());
    assert_eq!(redis.waiting(), ["absent-4", "absent-3"]);
    assert_eq!(redis.dead_letters().len(), 3);
}

#[test]
fn an_idle_worker_exits_but_not_while_a_job_runs() {
    let redis = Redis::start();
    let mut worker = Worker::launch_with_flags(&redis, &["--exit-when-idle", "1"], &[]);
    redis.submit(&jobs::slow_job("slow"));
    assert!(worker.wait_for_end(SOON * 3).success());
    assert_eq!(redis.result_of("slow")["status"], "success");
    assert_eq!(redis.job_counter("slow", "attempts"), None, "the job was finished by its first attempt");
}

#[test]
fn the_flags_of_the_worker_are_invalid_with_a_command() {
    for flags in [&["--jobs", "1", "errors"][..], &["--exit-when-idle", "1", "errors"], &["--jobs", "0"]] {
        let output = command::run(flags, &[]);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(flags[0]), "{}", output.stderr);
    }
}
