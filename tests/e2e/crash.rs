//! Plugin, job and worker processes that crash or are killed, and the effect on jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use oculus_tests::processes::{descendants_of, in_role, kill, kill_if_running, mapped_from, wait_until_gone};
use oculus_tests::results::{failure, model, warning};
use oculus_tests::{Redis, SOON, Worker, build, eventually, jobs, wording};
use serde_json::{Value, json};

/// Starts a worker with the misbehaving family.
fn worker_with_misbehaving(redis: &Redis, settings: &[(&str, &str)]) -> Worker {
    Worker::start_with_plugins(redis, &build::plugins_with_misbehaving(), settings)
}

/// Returns a job whose search trains the misbehaving family.
fn with_misbehaving_search_family(id: &str, act: &str) -> Value {
    let mut job = jobs::job(id);
    let config = &mut job["design"]["ml_training_config"];
    config["config_search_model"] = json!("misbehaving");
    config["misbehaving_act"] = json!(act);
    job
}

/// Asserts that the worker still runs and the next job succeeds.
fn assert_works(redis: &Redis, worker: &Worker, id: &str) {
    redis.submit(&jobs::job(id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    assert!(worker.is_running());
}

#[test]
fn only_plugin_processes_open_libraries_and_each_opens_exactly_one() {
    let redis = Redis::start();
    let worker = worker_with_misbehaving(&redis, &[]);
    // The second family's fit hangs, so that both plugin processes exist at the same time.
    redis.submit(&jobs::with_misbehaving("inspected", "hang"));
    let libraries = worker.plugins_state();
    let opened = eventually("two running plugins", SOON, || {
        assert_eq!(mapped_from(worker.pid(), &libraries), BTreeSet::new());
        let children = descendants_of(worker.pid());
        for job in in_role(&children, "job") {
            assert_eq!(mapped_from(job, &libraries), BTreeSet::new());
        }
        let plugins = in_role(&children, "plugin-process");
        let opened: Vec<_> = plugins.iter().map(|plugin| mapped_from(*plugin, &libraries)).collect();
        assert!(opened.iter().all(|libraries| libraries.len() <= 1), "{opened:?}");
        (opened.iter().filter(|libraries| libraries.len() == 1).count() == 2).then_some(opened)
    });
    assert_ne!(opened[0], opened[1], "each process has its own library");
    assert_eq!(in_role(&descendants_of(worker.pid()), "job").len(), 1, "the job still runs");
}

#[test]
fn a_killed_plugin_process_is_restarted_and_the_job_succeeds() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::slow_job("struck-twice"));
    for (n_deaths, n_trials) in [(1, 4), (2, 12)] {
        redis.wait_for_trial("struck-twice", n_trials);
        kill(worker.wait_for_plugin());
        worker.wait_for_event("death of the plugin", |event| event.is_plugin_death(n_deaths));
    }
    let result = redis.result_of("struck-twice");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(result["models"][0]["status"], "ok");
}

#[test]
fn a_plugin_process_that_is_killed_repeatedly_fails_the_job_with_the_signal_and_the_next_job_runs() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::endless_job("hunted"));
    let result: String = eventually("result", SOON, || {
        for plugin in in_role(&descendants_of(worker.pid()), "plugin-process") {
            kill_if_running(plugin);
        }
        redis.query(&["GET", "result:hunted"])
    });
    let result: Value = serde_json::from_str(&result).unwrap();
    let message = failure(&result, "plugin_died");
    assert!(message.contains("LightGBM") && message.contains("SIGKILL"), "{message}");
    assert_eq!(result["error"]["retryable"], true);
    assert_works(&redis, &worker, "after-the-hunt");
}

#[test]
fn a_search_family_that_terminates_its_process_fails_the_job_with_its_name_cause_and_last_line() {
    let redis = Redis::start();
    let worker = worker_with_misbehaving(&redis, &[]);
    let acts = [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", wording::EXIT_CODE_0)];
    for (act, cause) in acts {
        redis.submit(&with_misbehaving_search_family(act, act));
        let result = redis.result_of(act);
        let message = failure(&result, "plugin_died");
        assert!(message.contains("misbehaving") && message.contains(cause), "{message}");
        assert!(message.contains(&format!("misbehaving: act={act}")), "the last line of output: {message}");
        assert_eq!(result["phase"], "config_search");
    }
    assert_works(&redis, &worker, "after-the-acts");
}

#[test]
fn a_search_family_that_panics_fails_the_job_with_the_panic_message() {
    let redis = Redis::start();
    let worker = worker_with_misbehaving(&redis, &[]);
    redis.submit(&with_misbehaving_search_family("panic", "panic"));
    let result = redis.result_of("panic");
    let message = failure(&result, "no_label_fitted");
    assert!(message.contains("misbehaving: panic"), "{message}");
    assert_eq!(worker.n_events(|event| event.is_plugin_death(1)), 0, "a panic terminates the fit, not the process");
    assert_works(&redis, &worker, "after-the-panic");
}

#[test]
fn output_of_a_library_is_logged_and_does_not_affect_the_job() {
    let redis = Redis::start();
    let worker = worker_with_misbehaving(&redis, &[]);
    redis.submit(&with_misbehaving_search_family("loud", "stdout"));
    assert_eq!(redis.result_of("loud")["status"], "success");
    worker.wait_for_text("misbehaving: stdout");
}

#[test]
fn another_family_that_misbehaves_is_a_failed_row_of_a_successful_result() {
    let redis = Redis::start();
    let _worker = worker_with_misbehaving(&redis, &[]);
    let acts = [
        ("panic", "misbehaving: panic"),
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("exit", wording::EXIT_CODE_0),
    ];
    for (act, _) in acts {
        redis.submit(&jobs::with_misbehaving(act, act));
    }
    for (act, reason) in acts {
        let result = redis.result_of(act);
        assert_eq!(
            (&result["status"], &result["model_metrics"]["model_name"]),
            (&json!("success"), &json!("LightGBM"))
        );
        let row = model(&result, "misbehaving");
        assert_eq!(row["status"], "failed", "{row}");
        assert!(row["reason"].as_str().unwrap().contains(reason), "{row}");
        assert!(warning(&result, "family_failed").contains("misbehaving"), "{}", result["warnings"]);
    }
}

#[test]
fn a_fit_that_hangs_is_killed_with_its_job_at_the_timeout() {
    let redis = Redis::start();
    let worker = worker_with_misbehaving(&redis, &[("JOB_TIMEOUT_SECONDS", "8")]);
    redis.submit(&with_misbehaving_search_family("deaf", "hang"));
    worker.wait_for_plugin();
    let processes = descendants_of(worker.pid());
    let result = redis.result_of("deaf");
    assert!(failure(&result, "timeout").contains("8 s"), "{result}");
    wait_until_gone(&processes, Duration::from_secs(1));
    assert_works(&redis, &worker, "after-the-wait");
}

#[test]
fn job_and_plugin_processes_terminate_with_a_killed_worker_and_another_worker_finishes_the_job() {
    let redis = Redis::start();
    let mut first = Worker::start(&redis, &[]);
    redis.submit(&jobs::slow_job("inherited"));
    first.wait_for_plugin();
    let children = descendants_of(first.pid());
    assert!(!in_role(&children, "job").is_empty() && !in_role(&children, "plugin-process").is_empty());
    first.kill();
    wait_until_gone(&children, Duration::from_secs(1));
    let second = Worker::start(&redis, &[]);
    let result = redis.result_of("inherited");
    assert_eq!(result["status"], "success", "{result}");
    assert!(result["run"]["worker"].as_str().unwrap().contains(&second.pid().to_string()), "{}", result["run"]);
}
