//! The real worker binary with a real redis-server: its reports to the backend and the log, and its
//! handling of faults.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use oculus_tests::log::LogEvent;
use oculus_tests::processes::{kill, wait_until_gone};
use oculus_tests::redis_server::{LEASES, QUEUE, progress_channel};
use oculus_tests::{Backend, Redis, SOON, Worker, eventually, jobs, wording};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

fn assert_failed_with_remedy(result: &Value, id: &str) {
    assert_eq!((&result["build_id"], &result["status"]), (&json!(id), &json!("failed")), "{result}");
    for field in ["code", "message", "hint"] {
        let text = result["error"][field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {field} in {result}");
    }
}

#[test]
fn a_worker_registers_and_sends_heartbeats_with_its_state() {
    let redis = Redis::start();
    let backend = Backend::start();
    let settings = [("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1"), ("BACKEND_TOKEN", "hunter2")];
    let worker = Worker::start(&redis, &settings);
    backend.wait_for_state("idle");
    let received = backend.wait_until("heartbeat", |received| !received.heartbeats.is_empty());
    let registration = &received.registrations[0];
    assert_eq!((&registration["pid"], &registration["concurrency"]), (&json!(worker.pid()), &json!(2)));
    assert_eq!(registration["queues"], json!([QUEUE]));
    for field in ["worker_id", "hostname", "version"] {
        assert!(registration[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {registration}");
    }
    assert!(registration["families"].is_array() && registration["devices"].is_array(), "{registration}");
    assert_eq!(received.authorizations[0], "Bearer hunter2");
    let beat = received.heartbeats.last().unwrap();
    assert_eq!(beat["worker_id"], registration["worker_id"]);
    assert_eq!(beat["running"], json!([]));
    assert_eq!(beat["counters"], json!({ "done": 0, "failed": 0, "crashed": 0, "fenced": 0 }));
    assert!(beat["uptime_s"].is_u64(), "{beat}");

    redis.push("{\"build_id\":\"broken\"");
    backend.wait_for_count("failed", 1);
    redis.submit(&jobs::endless_job("busy"));
    let busy = backend.wait_for_state("busy");
    assert_eq!(busy["running"][0]["job_id"], json!("busy"));
    assert!(busy["running"][0]["phase"].is_string() && busy["running"][0]["percent"].is_number(), "{busy}");
    assert!(!worker.log().contains("hunter2"));
}

#[test]
fn a_worker_logs_text_unless_json_is_configured() {
    let redis = Redis::start();
    let worker = Worker::launch(&redis, &[("LOG_FORMAT", ""), ("WORKER_CONCURRENCY", "3")]);
    let line = worker.wait_for_text("concurrency=3");
    let fields: Vec<&str> = line.message().split_whitespace().collect();
    assert_eq!((line.level(), fields[1]), ("", "INFO"), "a line of text with a time and a level: {line:?}");
    assert!(fields.iter().any(|field| field.starts_with("queues=")), "{line:?}");
}

#[test]
fn a_worker_registers_again_with_a_backend_that_has_forgotten_it() {
    let redis = Redis::start();
    let backend = Backend::start();
    let _worker = Worker::start(&redis, &[("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1")]);
    backend.wait_until("heartbeat", |received| !received.heartbeats.is_empty());
    backend.forget_workers();
    let received = backend.wait_until("second registration", |received| received.registrations.len() == 2);
    assert_eq!(received.registrations[0], received.registrations[1]);
}

#[test]
fn an_unavailable_backend_causes_one_warning_and_fails_no_job() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("HEARTBEAT_SECONDS", "1")]);
    let is_outage = |event: &LogEvent| event.warns_of("http://127.0.0.1:9");
    worker.wait_for_event("outage of the backend", is_outage);
    redis.push("absent");
    assert_eq!(redis.result_of("absent")["error"]["code"], "payload_missing");
    assert_eq!(worker.n_events(is_outage), 1, "{}", worker.log());
}

#[test]
fn entries_without_an_id_become_dead_letters_and_the_worker_continues() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[]);
    let entries =
        ["this is not a job", "[1, 2]", "{\"symbols\": [\"AAPL\"]}", "\"", "{\"build_id\": [], \"symbols\": []}"];
    for entry in entries {
        redis.push(entry);
    }
    let letters = eventually("dead letters", SOON, || {
        Some(redis.dead_letters()).filter(|letters| letters.len() == entries.len())
    });
    for letter in letters {
        assert!(entries.contains(&letter["entry"].as_str().unwrap()), "{letter}");
        assert!(!letter["message"].as_str().unwrap().is_empty() && letter["id"].is_null(), "{letter}");
    }
    assert!(worker.is_running());
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
}

#[test]
fn entries_and_payloads_that_are_not_jobs_fail_under_their_id_and_become_dead_letters() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let large = "x".repeat(10 << 20);
    redis.push(r#"{"build_id": "cut-off", "symbols": ["AAPL""#);
    redis.push(&format!(r#"{{"build_id": "large-entry", "symbols": ["{large}"]}}"#));
    redis.push("missing");
    redis.submit_payload("not-json", "not json");
    redis.submit_payload("large-payload", &format!(r#"{{"build_id": "large-payload", "symbols": ["{large}"]}}"#));
    let ids = ["cut-off", "large-entry", "missing", "not-json", "large-payload"];
    for id in ids {
        assert_failed_with_remedy(&redis.result_of(id), id);
    }
    assert_eq!(redis.dead_letters().len(), ids.len());
    assert!(worker.is_running());
}

#[test]
fn invalid_jobs_get_a_failed_result_and_the_worker_takes_the_next() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let with = |id: &str, field: &str, value: Value| {
        let mut job = jobs::job(id);
        job[field] = value;
        redis.submit_payload(id, &job.to_string());
    };
    with("wrong-types", "symbols", json!(17));
    with("no-such-timeframe", "timeframe", json!("9q"));
    with("path-as-symbol", "symbols", json!(["../../etc/passwd"]));
    with("no-bars", "symbols", json!(["NOSUCH"]));
    for id in ["wrong-types", "no-such-timeframe", "path-as-symbol", "no-bars"] {
        assert_failed_with_remedy(&redis.result_of(id), id);
    }
    assert!(worker.is_running());
}

#[test]
fn after_sigterm_a_worker_finishes_running_jobs_and_takes_no_new_ones() {
    let redis = Redis::start();
    let backend = Backend::start();
    let mut worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1"), ("BACKEND_URL", backend.url())]);
    redis.submit(&jobs::slow_job("running"));
    worker.wait_for_event("start", |event| event.is_start_of("running"));
    worker.terminate();
    backend.wait_for_state("draining");
    redis.submit(&jobs::job("too-late"));
    assert!(worker.wait_for_end(SOON * 3).success());
    assert_eq!(redis.result_of("running")["status"], "success");
    assert_eq!(redis.waiting(), ["too-late"]);
}

#[test]
fn a_second_signal_requeues_running_jobs_without_counting_an_attempt() {
    let redis = Redis::start();
    let backend = Backend::start();
    let mut worker = Worker::start(&redis, &[("BACKEND_URL", backend.url())]);
    redis.submit(&jobs::endless_job("endless"));
    let children = worker.wait_for_children();
    worker.terminate();
    backend.wait_for_state("draining");
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    wait_until_gone(&children, Duration::from_secs(1));
    assert_eq!(redis.waiting(), ["endless"]);
    assert_eq!(["crashes", "vanished"].map(|counter| redis.job_counter("endless", counter)), [None, None]);
}

#[test]
fn a_killed_worker_leaves_no_children_and_another_worker_finishes_its_job() {
    let redis = Redis::start();
    let mut first = Worker::start(&redis, &[]);
    redis.submit(&jobs::endless_job("orphan"));
    let children = first.wait_for_children();
    let second = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "1")]);
    first.kill();
    wait_until_gone(&children, Duration::from_secs(1));
    second.wait_for_event("reap", |event| event.is_reap_of("orphan"));
    let result = redis.result_of("orphan");
    assert_eq!(result["error"]["code"], "timeout", "the second worker ran it until its timeout: {result}");
}

#[test]
fn a_job_that_runs_too_long_is_killed_with_all_its_children() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "1")]);
    redis.submit(&jobs::endless_job("endless"));
    let children = worker.wait_for_children();
    let result = redis.result_of("endless");
    assert_failed_with_remedy(&result, "endless");
    assert_eq!(result["error"]["code"], "timeout");
    wait_until_gone(&children, Duration::from_secs(1));
}

#[test]
fn a_job_whose_process_dies_too_often_is_a_dead_letter_that_names_the_signal() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("MAX_CRASHES", "2")]);
    redis.submit(&jobs::endless_job("doomed"));
    kill(worker.wait_for_children()[0]);
    eventually("counted crash", SOON, || redis.job_counter("doomed", "crashes").filter(|crashes| *crashes == 1));
    kill(worker.wait_for_children()[0]);
    let result = redis.result_of("doomed");
    assert_failed_with_remedy(&result, "doomed");
    assert_eq!(result["error"]["code"], "job_crashed");
    assert!(result["error"]["message"].as_str().unwrap().contains("SIGKILL"), "{result}");
    assert_eq!(redis.dead_letters()[0]["signal"], 9);
    redis.push("next");
    assert_eq!(redis.result_of("next")["error"]["code"], "payload_missing");
}

#[test]
fn a_lost_lease_kills_the_job_and_discards_its_result() {
    let redis = Redis::start();
    let backend = Backend::start();
    let worker = Worker::start(&redis, &[("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1")]);
    redis.submit(&jobs::endless_job("taken-away"));
    let children = worker.wait_for_children();
    let _: u64 = redis.query(&["DEL", LEASES]);
    wait_until_gone(&children, SOON);
    backend.wait_for_count("fenced", 1);
    assert_eq!(redis.query::<Option<String>>(&["GET", "result:taken-away"]), None);
}

#[test]
fn a_cancel_flag_stops_the_job_as_cancelled() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::endless_job("unwanted"));
    let children = worker.wait_for_children();
    redis.cancel("unwanted");
    assert_eq!(redis.result_of("unwanted")["status"], "cancelled");
    wait_until_gone(&children, Duration::from_secs(1));
    assert_eq!(redis.json_at(&progress_channel("unwanted"))["status"], "cancelled");
}

#[test]
fn a_cancel_flag_does_not_stop_the_claim_of_a_job_whose_payload_is_not_read_yet() {
    let redis = Redis::start();
    // The first renewal of the lease reports the flag. It happens while the worker still retries to
    // read the payload.
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "2")]);
    redis.push("absent");
    let token = eventually("claim", SOON, || redis.query::<Vec<String>>(&["ZRANGE", LEASES, "0", "-1"]).pop());
    let _: u64 = redis.query(&["HSET", &format!("{{{QUEUE}}}:job:{token}"), "cancel", "1"]);
    assert_eq!(redis.result_of("absent")["error"]["code"], "payload_missing");
    assert_eq!(worker.n_events(|event| event.is_reap_of("absent")), 0, "{}", worker.log());
}

#[test]
fn the_result_of_the_newest_payload_stays_if_a_job_is_pushed_again_while_it_runs() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::job("again"));
    worker.wait_for_children();
    let mut newer = jobs::job("again");
    newer["design"]["profit_threshold_options"] = json!([3.0]);
    redis.submit(&newer);
    let result = redis.result_of("again");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(result["design_config"]["profit_threshold_options"], json!([3.0]));
    let is_idle = || redis.query::<u64>(&["ZCARD", LEASES]) == 0 && redis.waiting().is_empty();
    eventually("idle queue", SOON, || is_idle().then_some(()));
    assert_eq!(redis.result_of("again"), result, "no other result follows");
    assert_eq!(worker.n_events(|event| event.is_start_of("again")), 2);
}

#[test]
fn a_cancel_key_stops_a_running_job_long_before_its_lease_is_renewed() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "600")]);
    redis.submit(&jobs::endless_job("unwanted"));
    let children = worker.wait_for_children();
    let () = redis.query(&["SET", &format!("{{{QUEUE}}}:cancel:unwanted"), "1", "EX", "3600"]);
    assert_eq!(redis.result_of("unwanted")["status"], "cancelled");
    wait_until_gone(&children, SOON);
}

#[test]
fn the_same_payload_pushed_again_after_its_success_runs_once() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    redis.submit(&jobs::job("once"));
    let first = redis.result_of("once");
    assert_eq!(first["status"], "success", "{first}");
    let mut events = Vec::new();
    redis.follow_from("once", || redis.push("once"), |event| events.push(event["phase"].clone()));
    assert_eq!(events, ["complete"], "only the last event is published again");
    assert_eq!(redis.result_of("once"), first);
    assert_eq!(worker.n_events(|event| event.is_start_of("once")), 1);
}

#[test]
fn jobs_are_taken_from_every_configured_queue() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[("JOB_QUEUE", "first,second")]);
    for queue in ["first", "second"] {
        let id = format!("absent-from-{queue}");
        let _: u64 = redis.query(&["LPUSH", queue, &id]);
        assert_eq!(redis.result_of(&id)["error"]["code"], "payload_missing");
    }
}

#[test]
fn a_queue_whose_key_has_another_type_does_not_stop_the_other_queues() {
    let redis = Redis::start();
    let () = redis.query(&["SET", "damaged", "not a list"]);
    let mut worker = Worker::launch_with_flags(&redis, &["--exit-when-idle", "3"], &[("JOB_QUEUE", "damaged,usable")]);
    worker.wait_for_event("rejection", |event| event.warns_of("damaged"));
    let () = redis.query(&["SET", "job:fine", &jobs::job("fine").to_string()]);
    let () = redis.query(&["LPUSH", "usable", "fine"]);
    assert_eq!(redis.result_of("fine")["status"], "success");
    assert!(worker.wait_for_end(SOON).success(), "the worker exits when it is idle");
}

#[test]
fn entries_in_the_queue_of_older_backends_cause_a_warning() {
    let redis = Redis::start();
    let _: u64 = redis.query(&["LPUSH", "training_queue", "old"]);
    Worker::start(&redis, &[])
        .wait_for_event("warning about the old queue", |event| event.warns_of("`training_queue`"));
}

#[test]
fn the_environment_of_a_job_contains_no_secret() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("POLYGON_API_KEY", "hunter2"), ("BACKEND_TOKEN", "hunter2")]);
    redis.submit(&jobs::endless_job("inspected"));
    let read = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    for pid in worker.wait_for_children() {
        // Between fork and exec the child still has the worker's environment.
        let environment = eventually("environment of the job", SOON, || {
            let has_exec = read(pid, "cmdline")? != read(worker.pid(), "cmdline")?;
            read(pid, "environ").filter(|environment| has_exec && environment.contains("PATH="))
        });
        assert!(!environment.contains("hunter2") && !environment.contains("REDIS_URL"), "{environment}");
    }
}

#[test]
fn a_backend_that_rejects_every_heartbeat_receives_registrations_at_growing_intervals() {
    let redis = Redis::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let worker = Worker::start(&redis, &[("BACKEND_URL", &url), ("HEARTBEAT_SECONDS", "1")]);
    let mut registered = Vec::new();
    let mut n_beats = 0;
    while registered.len() < 5 {
        let (stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(&stream);
        let mut line = String::new();
        request.read_line(&mut line).unwrap();
        let is_heartbeat = line.contains("heartbeat");
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            request.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        request.read_exact(&mut vec![0; length]).unwrap();
        let status = if is_heartbeat { "404 Not Found" } else { "201 Created" };
        write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        if is_heartbeat { n_beats += 1 } else { registered.push(Instant::now()) }
    }
    assert_eq!(n_beats, 4);
    let elapsed = registered[4] - registered[0];
    assert!(elapsed >= Duration::from_millis(50 + 100 + 200 + 400), "five registrations in {elapsed:?}");
    worker.wait_for_text(wording::WORKER_UNKNOWN);
    let n_warnings = worker.n_events(|event| event.level() == "WARN");
    assert_eq!(n_warnings, 1, "{}", worker.log());
}

#[test]
fn an_idle_worker_reports_draining_when_it_is_terminated() {
    let redis = Redis::start();
    let backend = Backend::start();
    let mut worker = Worker::start(&redis, &[("BACKEND_URL", backend.url())]);
    backend.wait_until("heartbeat", |received| !received.heartbeats.is_empty());
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    backend.wait_for_state("draining");
}

#[test]
fn a_worker_that_cannot_start_processes_requeues_its_jobs_without_counting_an_attempt() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let pid = Pid::from_raw(worker.pid().cast_signed());
    let original = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), maximum: original.maximum }).unwrap();
    redis.submit(&jobs::job("patient"));
    worker.wait_for_text(wording::NO_JOB_PROCESS);
    prlimit(pid, Resource::Nofile, original).unwrap();
    assert_eq!(redis.result_of("patient")["status"], "success");
    worker.wait_for_text(wording::JOB_PROCESSES_AGAIN);
    assert_eq!(worker.n_events(|event| event.warns_of(wording::NO_JOB_PROCESS)), 1, "{}", worker.log());
    assert!(redis.dead_letters().is_empty());
}
