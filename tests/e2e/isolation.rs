//! Isolation of plugins: a misbehaving plugin fails its own family, and affects neither the worker
//! nor other jobs.

use std::sync::OnceLock;
use std::time::Duration;

use oculus_tests::command::train;
use oculus_tests::processes::{
    RETURN_FREE_MEMORY, descendants_of, in_role, kill, n_open_files, private_bytes, wait_until_gone,
};
use oculus_tests::results::{failure, model, outside_run};
use oculus_tests::{Redis, SOON, Worker, build, eventually, jobs, wording};
use serde_json::{Value, json};

/// Starts a worker whose plugins may each use 256 MiB, and may be silent for 6 s.
fn worker(redis: &Redis, settings: &[(&str, &str)]) -> Worker {
    let limits = [("PLUGIN_MEMORY_MB", "256"), ("PLUGIN_SILENCE_SECONDS", "6")];
    Worker::start_with_plugins(redis, &build::plugins_with_misbehaving(), &[&limits, settings].concat())
}

/// Returns the bytes of the bystander job's result when this job runs alone.
fn bystander_alone() -> &'static str {
    static BYTES: OnceLock<String> = OnceLock::new();
    let plugins = build::plugins_with_misbehaving();
    BYTES.get_or_init(|| outside_run(&train(&bystander("bystander"), &[("PLUGINS_DIR", plugins.to_str().unwrap())])))
}

/// Returns the bystander: a job that lasts as long as the job with the misbehaving family.
fn bystander(id: &str) -> Value {
    let mut job = jobs::slow_job(id);
    job["design"]["recommended_n_iter_search"] = json!(24);
    job
}

/// Runs a job with the misbehaving family and, at the same time, a bystander. The bystander's
/// result must not change. Returns the row of the misbehaving family.
fn row_next_to_a_bystander(redis: &Redis, act: &str) -> Value {
    let id = format!("next-to-{act}");
    redis.submit(&bystander(&id));
    redis.wait_for_trial(&id, 4);
    redis.submit(&jobs::with_misbehaving(act, act));
    let bytes = outside_run(&redis.result_of(&id)).replace(&id, "bystander");
    assert!(bytes == bystander_alone(), "next to {act}: {bytes}; alone: {}", bystander_alone());
    row_of_misbehaving(&redis.result_of(act))
}

/// Returns the row of the misbehaving family in a job that succeeded.
fn row_of_misbehaving(result: &Value) -> Value {
    let winner = &result["model_metrics"]["model_name"];
    assert_eq!((&result["status"], winner), (&json!("success"), &json!("LightGBM")), "{result}");
    let rows = result["models"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["name"] == "misbehaving" || row["status"] == "ok"), "{rows:?}");
    model(result, "misbehaving").clone()
}

/// Asserts that a family failed, and that its reason contains all of these parts.
fn assert_failed(row: &Value, reasons: &[&str]) {
    assert_eq!(row["status"], "failed", "{row}");
    let reason = row["reason"].as_str().unwrap();
    assert!(reasons.iter().all(|part| reason.contains(part)), "{reason}");
}

fn assert_died_once(worker: &Worker) {
    let n_deaths = [1, 2].map(|n| worker.n_events(|event| event.is_plugin_death(n)));
    assert_eq!(n_deaths, [1, 0], "{}", worker.log());
}

fn wait_for_no_process_below(worker: &Worker) {
    eventually("end of all jobs' processes", SOON, || descendants_of(worker.pid()).is_empty().then_some(()));
}

#[test]
fn a_crashing_family_fails_alone_and_leaks_nothing_in_the_worker() {
    let redis = Redis::start();
    let worker = worker(&redis, &RETURN_FREE_MEMORY);
    let acts: [(_, &[_]); 4] = [
        ("segfault", &["SIGSEGV", "misbehaving: act=segfault"]),
        ("abort", &["SIGABRT", "misbehaving: act=abort"]),
        ("exit", &[wording::EXIT_CODE_0, "misbehaving: act=exit"]),
        // A panic terminates the fit, not the process, so there is no last line of output.
        ("panic", &["misbehaving: panic"]),
    ];
    let mut before = None;
    for (act, reasons) in acts {
        assert_failed(&row_next_to_a_bystander(&redis, act), reasons);
        wait_for_no_process_below(&worker);
        // The baseline is taken after the first two jobs, which fill caches that are kept.
        before.get_or_insert_with(|| (n_open_files(worker.pid()), private_bytes(worker.pid())));
    }
    let (n_files_before, bytes_before) = before.unwrap();
    eventually("end of all open files", SOON, || (n_open_files(worker.pid()) <= n_files_before).then_some(()));
    let grown = private_bytes(worker.pid()).saturating_sub(bytes_before);
    assert!(grown < 4 << 20, "{grown} bytes");
}

#[test]
fn a_family_that_exceeds_its_memory_limit_is_killed_and_not_restarted() {
    let redis = Redis::start();
    let worker = worker(&redis, &[]);
    let row = row_next_to_a_bystander(&redis, "allocate");
    assert_failed(&row, &["256 MiB", "PLUGIN_MEMORY_MB", "misbehaving: act=allocate"]);
    assert_died_once(&worker);
    wait_for_no_process_below(&worker);
}

#[test]
fn a_family_that_hangs_is_killed_after_the_silence_limit_and_not_restarted() {
    let redis = Redis::start();
    let worker = worker(&redis, &[]);
    let row = row_next_to_a_bystander(&redis, "hang");
    assert_failed(&row, &["6 s", "PLUGIN_SILENCE_SECONDS", "misbehaving: act=hang"]);
    assert_died_once(&worker);
    wait_for_no_process_below(&worker);
}

#[test]
fn a_silent_search_family_fails_its_job_and_is_cancelled_before_it_is_killed() {
    let redis = Redis::start();
    let worker = worker(&redis, &[]);
    let mut job = jobs::with_misbehaving("led", "wait_for_cancel");
    job["design"]["ml_training_config"]["config_search_model"] = json!("misbehaving");
    redis.submit(&job);
    let result = redis.result_of("led");
    let message = failure(&result, "plugin_died");
    for fact in ["6 s", "PLUGIN_SILENCE_SECONDS", "misbehaving: cancelled"] {
        assert!(message.contains(fact), "no {fact} in {message}");
    }
    wait_for_no_process_below(&worker);
}

#[test]
fn a_family_that_prints_a_megabyte_succeeds_and_the_log_stays_short() {
    let redis = Redis::start();
    let worker = worker(&redis, &[]);
    let row = row_next_to_a_bystander(&redis, "megabyte");
    assert_eq!(row["status"], "ok", "{row}");
    worker.wait_for_text(wording::LINES_NOT_LOGGED);
    assert_eq!(worker.n_events(|event| event.warns_of(wording::PRINTS_TOO_MUCH)), 1);
    assert!(worker.n_events(|event| event.mentions("misbehaving: line")) <= 200);
    let log = worker.log();
    assert!(log.len() < 256 << 10, "{} bytes of log", log.len());
}

/// Waits for the child process of the misbehaving family, and returns its process id.
fn grandchild(worker: &Worker) -> u32 {
    let event = worker.wait_for_text("misbehaving: child=");
    let (_, pid) = event.message().split_once("misbehaving: child=").unwrap();
    pid.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn children_of_a_plugin_terminate_with_it_for_any_cause() {
    let redis = Redis::start();
    let soon = Duration::from_secs(2);
    // The worker kills the plugin because it is silent.
    let silenced = worker(&redis, &[]);
    redis.submit(&jobs::with_misbehaving("silenced", "spawn_child"));
    let child = grandchild(&silenced);
    assert_failed(&row_of_misbehaving(&redis.result_of("silenced")), &["6 s", "PLUGIN_SILENCE_SECONDS"]);
    wait_until_gone(&[child], soon);
    drop(silenced);
    // Another process kills the plugin.
    let crashed = worker(&redis, &[]);
    redis.submit(&jobs::with_misbehaving("crashed", "spawn_child"));
    let child = grandchild(&crashed);
    let parent = in_role(&descendants_of(crashed.pid()), "plugin-process");
    let parent = parent.into_iter().find(|plugin| descendants_of(*plugin).contains(&child)).unwrap();
    kill(parent);
    wait_until_gone(&[parent, child], soon);
}

#[test]
fn children_of_plugins_terminate_with_a_killed_job_and_with_a_killed_worker() {
    let redis = Redis::start();
    let soon = Duration::from_secs(2);
    let timed_out = worker(&redis, &[("JOB_TIMEOUT_SECONDS", "5")]);
    redis.submit(&jobs::with_misbehaving("late", "spawn_child"));
    let child = grandchild(&timed_out);
    assert_eq!(redis.result_of("late")["error"]["code"], "timeout");
    wait_until_gone(&[child], soon);
    drop(timed_out);
    let mut killed = worker(&redis, &[]);
    redis.submit(&jobs::with_misbehaving("orphaned", "spawn_child"));
    let child = grandchild(&killed);
    let all = descendants_of(killed.pid());
    assert!(all.contains(&child));
    killed.kill();
    wait_until_gone(&all, soon);
}
