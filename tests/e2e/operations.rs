//! The commands of operators, with real workers.

use std::path::Path;
use std::time::Duration;

use oculus_tests::command::{self, CommandOutput};
use oculus_tests::processes::{descendants_of, in_role, wait_until_gone};
use oculus_tests::redis_server::QUEUE;
use oculus_tests::schema::Schema;
use oculus_tests::{Redis, SOON, Worker, build, eventually, jobs};
use serde_json::{Value, json};

/// Runs a command of an operator.
fn operate(redis: &Redis, arguments: &[&str]) -> CommandOutput {
    command::run(arguments, &[("REDIS_URL", &redis.url()), ("USER", "alice")])
}

/// Runs a command with `--json`, and checks its output with the schema of a document.
fn operate_json(redis: &Redis, document: &str, arguments: &[&str]) -> Value {
    let output = operate(redis, &[arguments, &["--json"]].concat());
    let value = output.json();
    assert_eq!(Schema::of(document).violations(&value), [""; 0], "{value}");
    value
}

fn jobs_of(redis: &Redis) -> Value {
    operate_json(redis, "jobs", &["jobs"])
}

/// Waits until the output of `jobs` satisfies `condition`, and returns it.
fn wait_for_jobs(redis: &Redis, description: &str, condition: impl Fn(&Value) -> bool) -> Value {
    eventually(description, SOON, || Some(jobs_of(redis)).filter(&condition))
}

#[test]
fn jobs_are_shown_while_they_wait_while_they_run_and_after_they_have_ended() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1")]);
    redis.push("absent");
    redis.result_of("absent");
    redis.submit(&jobs::endless_job("running"));
    redis.wait_for_trial("running", 1);
    redis.submit(&jobs::job("waiting"));
    let shown = wait_for_jobs(&redis, "busy worker", |shown| shown["workers"][0]["state"] == "busy");
    let queue = &shown["queues"][0];
    assert_eq!((&queue["queue"], &queue["n_waiting"], &queue["n_dead_letters"]), (&json!(QUEUE), &json!(1), &json!(1)));
    let running = &queue["claimed"][0];
    assert_eq!(
        (&running["id"], &running["state"], &running["phase"]),
        (&json!("running"), &json!("running"), &json!("config_search"))
    );
    assert_eq!((&running["user_id"], &running["attempt"]), (&json!("user:tests"), &json!(1)));
    assert!(running["percent"].as_f64().is_some_and(|percent| percent > 0.0), "{running}");
    assert!(running["event_age_s"].as_f64().is_some_and(|age| age < 30.0), "{running}");
    let waiting = &queue["waiting"][0];
    assert_eq!(
        (&waiting["id"], &waiting["position"], &waiting["user_id"]),
        (&json!("waiting"), &json!(1), &json!("user:tests"))
    );
    let recent = &queue["recent"][0];
    assert_eq!((&recent["id"], &recent["code"]), (&json!("absent"), &json!("payload_missing")));
    let shown_worker = &shown["workers"][0];
    assert_eq!((&shown_worker["pid"], &shown_worker["concurrency"]), (&json!(worker.pid()), &json!(1)));
    assert_eq!(shown_worker["worker_id"], running["worker"]);
    assert_eq!((&shown_worker["running"][0]["job_id"], &shown_worker["queues"]), (&json!("running"), &json!([QUEUE])));

    let table = operate(&redis, &["jobs"]);
    assert_eq!(table.code, 0, "{table:?}");
    for part in ["running", "waiting", "absent", "payload_missing", "config_search", "user:tests", "busy"] {
        assert!(table.stdout.contains(part), "no {part} in {}", table.stdout);
    }
}

#[test]
fn a_waiting_job_and_a_running_one_are_cancelled() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1"), ("LEASE_SECONDS", "30")]);
    redis.submit(&jobs::endless_job("running"));
    let children = worker.wait_for_children();
    redis.submit(&jobs::job("waiting"));
    let cancelled = operate_json(&redis, "cancel", &["cancel", "waiting"]);
    assert_eq!((&cancelled[0]["state"], &cancelled[0]["outcome"]), (&json!("waiting"), &json!("cancelled")));
    let output = operate(&redis, &["cancel", "running"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("running") && output.stdout.contains("is cancelled"), "{}", output.stdout);
    assert!(output.stderr.contains("alice@") && output.stderr.contains("cancel"), "an audit line: {}", output.stderr);
    wait_until_gone(&children, Duration::from_secs(1));
    for id in ["waiting", "running"] {
        assert_eq!(redis.result_of(id)["status"], "cancelled");
    }
    let recent = &jobs_of(&redis)["queues"][0]["recent"];
    assert_eq!((&recent[0]["status"], &recent[1]["status"]), (&json!("cancelled"), &json!("cancelled")));
    let again = operate(&redis, &["cancel", "running"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(again.stderr.contains("already ended") && again.stderr.contains("`cancelled`"), "{}", again.stderr);
    let unknown = operate(&redis, &["cancel", "never-pushed"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("never-pushed") && unknown.stderr.contains(QUEUE), "{}", unknown.stderr);
}

#[test]
fn a_cancellation_kills_native_code_of_the_lstm() {
    let redis = Redis::start();
    let worker = Worker::start_with_plugins(&redis, &build::families(), &[("LEASE_SECONDS", "30")]);
    redis.submit(&native_job("native"));
    redis.wait_for_progress("native", "training of the LSTM", |event| event["details"]["family"] == "LSTM");
    let plugin = worker.wait_for_plugin();
    let cancelled = operate_json(&redis, "cancel", &["cancel", "native"]);
    assert_eq!((&cancelled[0]["state"], &cancelled[0]["outcome"]), (&json!("running"), &json!("cancelled")));
    wait_until_gone(&[plugin], Duration::from_secs(1));
    assert_eq!(in_role(&descendants_of(worker.pid()), "plugin-process"), [0; 0]);
}

/// Returns a job whose LSTM is so large that libtorch computes for longer than its test.
fn native_job(id: &str) -> Value {
    let mut job = jobs::with_search_family("LightGBM", id);
    let config = &mut job["design"]["ml_training_config"];
    config["train_lstm"] = json!(true);
    config["lstm_hidden_size"] = json!(256);
    config["lstm_epochs"] = json!(500);
    job
}

#[test]
fn a_cancellation_that_a_stopped_worker_cannot_read_is_reported_as_requested() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "30")]);
    redis.submit(&jobs::endless_job("held"));
    worker.wait_for_children();
    worker.freeze();
    let output = operate(&redis, &["cancel", "held", "--timeout", "1"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("has not ended yet"), "{}", output.stdout);
    let shown = jobs_of(&redis);
    assert_eq!(shown["queues"][0]["claimed"][0]["is_cancelled"], true);
    worker.thaw();
    assert_eq!(redis.result_of("held")["status"], "cancelled");
}

#[test]
fn dead_letters_are_listed_shown_retried_and_dropped() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    ["late", "absent", "[]"].iter().for_each(|entry| redis.push(entry));
    eventually("dead letters", SOON, || (redis.dead_letters().len() == 3).then_some(()));
    let listed = operate_json(&redis, "dead-letters", &["dead", "list"]);
    assert_eq!((&listed[0]["n_letters"], listed[0]["letters"].as_array().unwrap().len()), (&json!(3), 3));
    let table = operate(&redis, &["dead", "list", "--reason", "payload_missing"]).stdout;
    assert!(table.contains("late") && table.contains("absent") && !table.contains("entry_without_id"), "{table}");

    let shown = operate_json(&redis, "dead-letters", &["dead", "show", "late"]);
    let letter = &shown[0]["letters"][0]["letter"];
    assert_eq!((&letter["entry"], &letter["reason"]), (&json!("late"), &json!("payload_missing")));

    let () = redis.query(&["SET", "job:late", &jobs::job("late").to_string()]);
    let retried = operate_json(&redis, "dead-changes", &["dead", "retry", "late"]);
    assert_eq!((&retried[0]["action"], &retried[0]["changed"][0]["id"]), (&json!("retry"), &json!("late")));
    eventually("success", SOON, || {
        let result: Option<String> = redis.query(&["GET", "result:late"]);
        result.filter(|result| result.contains(r#""status":"success""#))
    });

    let nameless = redis.dead_letters().into_iter().position(|letter| letter["id"].is_null()).unwrap();
    let listed = operate_json(&redis, "dead-letters", &["dead", "list"]);
    let hash = listed[0]["letters"][nameless]["hash"].as_str().unwrap();
    let dropped = operate(&redis, &["dead", "drop", hash]);
    assert_eq!(dropped.code, 0, "{dropped:?}");
    assert!(dropped.stderr.contains("alice@") && dropped.stderr.contains("drop"), "{}", dropped.stderr);
    operate_json(&redis, "dead-changes", &["dead", "drop", "--all"]);
    assert!(redis.dead_letters().is_empty());
    let none = operate(&redis, &["dead", "retry", "--all"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("no dead letter"), "{}", none.stderr);
}

#[test]
fn a_paused_queue_lets_running_jobs_finish_and_is_resumed_with_its_waiting_jobs() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::slow_job("running"));
    worker.wait_for_children();
    let paused = operate_json(&redis, "queue-states", &["queue", "pause", "--reason", "maintenance"]);
    assert_eq!((&paused[0]["is_paused"], &paused[0]["pause"]["reason"]), (&json!(true), &json!("maintenance")));
    redis.submit(&jobs::job("waiting"));
    assert_eq!(redis.result_of("running")["status"], "success");
    assert_eq!(redis.waiting(), ["waiting"]);
    let shown = operate(&redis, &["jobs"]).stdout;
    assert!(shown.contains("paused by alice@") && shown.contains("maintenance"), "{shown}");
    let resumed = operate_json(&redis, "queue-states", &["queue", "resume"]);
    assert_eq!((&resumed[0]["is_paused"], &resumed[0]["has_changed"]), (&json!(false), &json!(true)));
    worker.wait_for_event("start", |event| event.is_start_of("waiting"));
}

#[test]
fn a_drained_worker_finishes_its_job_and_stops_and_the_other_one_takes_the_next() {
    let redis = Redis::start();
    let mut drained = Worker::start(&redis, &[]);
    redis.submit(&jobs::slow_job("running"));
    drained.wait_for_children();
    let other = Worker::start(&redis, &[]);
    let shown = wait_for_jobs(&redis, "two workers", |shown| shown["workers"].as_array().unwrap().len() == 2);
    let workers = shown["workers"].as_array().unwrap();
    let id = workers.iter().find(|worker| worker["pid"] == drained.pid()).unwrap()["worker_id"].as_str().unwrap();
    let output = operate_json(&redis, "drain", &["drain", id]);
    assert_eq!((&output["worker_id"], &output["outcome"]), (&json!(id), &json!("draining")));
    let is_drain =
        |event: &oculus_tests::log::LogEvent| event.text("operator").is_some_and(|by| by.starts_with("alice@"));
    drained.wait_for_event("drain", is_drain);
    redis.submit(&jobs::job("next"));
    other.wait_for_event("start", |event| event.is_start_of("next"));
    assert_eq!(redis.result_of("running")["status"], "success");
    assert!(drained.wait_for_end(SOON).success());
    let shown = jobs_of(&redis);
    assert_eq!(shown["workers"].as_array().unwrap().len(), 1, "the report of the stopped worker is removed");
    let gone = operate(&redis, &["drain", id]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains(id), "{}", gone.stderr);
}

#[test]
fn a_command_uses_every_configured_queue_or_the_chosen_one() {
    let redis = Redis::start();
    let _: u64 = redis.query(&["LPUSH", "second", "job-2"]);
    redis.push("job-1");
    let run = |arguments: &[&str]| {
        let queues = format!("{QUEUE},second");
        command::run(arguments, &[("REDIS_URL", &redis.url()), ("JOB_QUEUE", &queues)])
    };
    let both = run(&["jobs", "--json"]).json();
    assert_eq!((&both["queues"][0]["n_waiting"], &both["queues"][1]["n_waiting"]), (&json!(1), &json!(1)));
    let second = run(&["jobs", "--json", "--queue", "second"]).json();
    assert_eq!(second["queues"][0]["queue"], "second");
    assert_eq!(run(&["cancel", "job-2", "--queue", QUEUE]).code, 1);
    assert_eq!(run(&["cancel", "job-2"]).code, 0);
    let unknown = run(&["queue", "pause", "--queue", "third"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.stderr.contains("third") && unknown.stderr.contains("second"), "{}", unknown.stderr);
}

#[test]
fn the_documented_rights_are_enough_for_a_worker_and_for_every_command() {
    let redis = Redis::start();
    let page =
        std::fs::read_to_string(Path::new(oculus_tests::outside::CHECKOUT).join("docs/configuration.md")).unwrap();
    let grant = page.split("```text\n").find(|part| part.starts_with("ACL SETUSER worker")).unwrap();
    let words: Vec<String> =
        grant.split("```").next().unwrap().split_whitespace().map(|word| word.replace("PASSWORD", "p")).collect();
    let () = redis.query(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let url = format!("{}?user=worker&pass=p", redis.url());
    let _worker = Worker::start(&redis, &[("REDIS_URL", &url)]);
    let run = |arguments: &[&str]| command::run(arguments, &[("REDIS_URL", &url)]);
    redis.push("[]");
    // The worker tries the name itself as the key of a payload, to which it has no right.
    redis.push("absent");
    assert_eq!(redis.result_of("absent")["error"]["code"], "payload_missing");
    let shown = eventually("report of the worker", SOON, || {
        let shown = run(&["jobs", "--json"]).json();
        (shown["workers"][0]["worker_id"].is_string() && shown["queues"][0]["n_dead_letters"] == 2).then_some(shown)
    });
    let id = shown["workers"][0]["worker_id"].as_str().unwrap();
    assert_eq!(run(&["queue", "pause"]).code, 0);
    redis.push("waiting");
    for arguments in [&["cancel", "waiting"][..], &["dead", "drop", "--all"], &["queue", "resume"], &["drain", id]] {
        let output = run(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {output:?}");
    }
}
