//! The real worker binary with a real redis-server: what it tells, and what it survives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oculus_tests::processes::{kill, wait_until_gone};
use oculus_tests::{Backend, Redis, SOON, Worker, eventually, jobs};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::{Value, json};

const QUEUE: &str = "oculus:training_queue";
const DEAD: &str = "{oculus:training_queue}:dead";

fn submit(redis: &Redis, id: &str, payload: &str) {
    let () = redis.ask(&["SET", &format!("job:{id}"), payload]);
    push(redis, id);
}

fn push(redis: &Redis, entry: &str) {
    let _: u64 = redis.ask(&["LPUSH", QUEUE, entry]);
}

fn result_of(redis: &Redis, id: &str) -> Value {
    redis.json_at(&format!("result:{id}"))
}

fn assert_refused_for(result: &Value, id: &str) {
    assert_eq!((&result["build_id"], &result["status"]), (&json!(id), &json!("failed")), "{result}");
    for field in ["code", "message", "hint"] {
        let text = result["error"][field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {field} in {result}");
    }
}

#[test]
fn a_worker_registers_and_tells_what_it_does() {
    let (redis, backend) = (Redis::start(), Backend::start());
    let settings = [("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1"), ("BACKEND_TOKEN", "hunter2")];
    let worker = Worker::start(&redis, &settings);
    let heard =
        backend.wait_until("idle heartbeat", |heard| heard.heartbeats.iter().any(|beat| beat["state"] == "idle"));
    let who = &heard.registrations[0];
    assert_eq!((&who["pid"], &who["concurrency"]), (&json!(worker.pid()), &json!(2)));
    assert_eq!(who["queues"], json!([QUEUE]));
    for field in ["worker_id", "hostname", "version"] {
        assert!(who[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {who}");
    }
    assert!(who["families"].is_array() && who["devices"].is_array(), "{who}");
    assert_eq!(heard.authorizations[0], "Bearer hunter2");
    let beat = heard.heartbeats.last().unwrap();
    assert_eq!(beat["worker_id"], who["worker_id"]);
    assert_eq!(beat["running"], json!([]));
    assert_eq!(beat["counters"], json!({ "done": 0, "failed": 0, "crashed": 0, "fenced": 0 }));
    assert!(beat["uptime_s"].is_u64(), "{beat}");

    push(&redis, "{\"build_id\":\"broken\"");
    backend.wait_until("counted failure", |heard| heard.heartbeats.iter().any(|beat| beat["counters"]["failed"] == 1));
    submit(&redis, "busy", &jobs::endless_job("busy").to_string());
    let heard =
        backend.wait_until("busy heartbeat", |heard| heard.heartbeats.iter().any(|beat| beat["state"] == "busy"));
    let busy = heard.heartbeats.iter().find(|beat| beat["state"] == "busy").unwrap();
    assert_eq!(busy["running"][0]["job_id"], json!("busy"));
    assert!(busy["running"][0]["phase"].is_string() && busy["running"][0]["percent"].is_number(), "{busy}");
    assert!(!worker.log().contains("hunter2"));
}

#[test]
fn a_backend_that_forgot_the_worker_is_told_again_who_it_is() {
    let (redis, backend) = (Redis::start(), Backend::start());
    let _worker = Worker::start(&redis, &[("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1")]);
    backend.wait_until("heartbeat", |heard| !heard.heartbeats.is_empty());
    backend.forget_workers();
    let heard = backend.wait_until("second registration", |heard| heard.registrations.len() == 2);
    assert_eq!(heard.registrations[0], heard.registrations[1]);
}

#[test]
fn a_backend_that_is_away_costs_one_warning_and_no_job() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("HEARTBEAT_SECONDS", "1")]);
    worker.wait_for_log("the backend at http://127.0.0.1:9 does not serve");
    push(&redis, "absent");
    assert_eq!(result_of(&redis, "absent")["error"]["code"], "payload_missing");
    assert_eq!(worker.log().matches("the backend at").count(), 1, "{}", worker.log());
}

#[test]
fn entries_without_an_id_become_dead_letters_and_the_worker_lives() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[]);
    let entries =
        ["this is not a job", "[1, 2]", "{\"symbols\": [\"AAPL\"]}", "\"", "{\"build_id\": [], \"symbols\": []}"];
    for entry in entries {
        push(&redis, entry);
    }
    let letters: Vec<String> = eventually("dead letters", SOON, || {
        Some(redis.ask::<Vec<String>>(&["LRANGE", DEAD, "0", "-1"])).filter(|letters| letters.len() == entries.len())
    });
    for letter in letters {
        let letter: Value = serde_json::from_str(&letter).unwrap();
        assert!(entries.contains(&letter["entry"].as_str().unwrap()), "{letter}");
        assert!(!letter["message"].as_str().unwrap().is_empty() && letter["id"].is_null(), "{letter}");
    }
    assert!(worker.is_running());
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
}

#[test]
fn entries_and_payloads_that_are_no_job_fail_by_name_and_are_dead_letters() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let large = "x".repeat(10 << 20);
    push(&redis, r#"{"build_id": "cut-off", "symbols": ["AAPL""#);
    push(&redis, &format!(r#"{{"build_id": "large-entry", "symbols": ["{large}"]}}"#));
    push(&redis, "missing");
    submit(&redis, "not-json", "not json");
    submit(&redis, "large-payload", &format!(r#"{{"build_id": "large-payload", "symbols": ["{large}"]}}"#));
    let ids = ["cut-off", "large-entry", "missing", "not-json", "large-payload"];
    for id in ids {
        assert_refused_for(&result_of(&redis, id), id);
    }
    assert_eq!(redis.ask::<usize>(&["LLEN", DEAD]), ids.len());
    assert!(worker.is_running());
}

#[test]
fn jobs_that_ask_for_nonsense_get_a_failed_result_and_the_worker_takes_the_next() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let with = |id: &str, field: &str, value: Value| {
        let mut job = jobs::job(id);
        job[field] = value;
        submit(&redis, id, &job.to_string());
    };
    with("wrong-types", "symbols", json!(17));
    with("no-such-timeframe", "timeframe", json!("9q"));
    with("path-as-symbol", "symbols", json!(["../../etc/passwd"]));
    with("no-bars", "symbols", json!(["NOSUCH"]));
    for id in ["wrong-types", "no-such-timeframe", "path-as-symbol", "no-bars"] {
        assert_refused_for(&result_of(&redis, id), id);
    }
    assert!(worker.is_running());
}

#[test]
fn sigterm_takes_no_more_jobs_and_finishes_those_that_run() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1")]);
    submit(&redis, "running", &jobs::slow_job("running").to_string());
    worker.wait_for_log("job started");
    worker.terminate();
    worker.wait_for_log("asked to end");
    submit(&redis, "too-late", &jobs::job("too-late").to_string());
    assert!(worker.wait_for_end(SOON * 3).success());
    assert_eq!(result_of(&redis, "running")["status"], "success");
    assert_eq!(redis.ask::<Vec<String>>(&["LRANGE", QUEUE, "0", "-1"]), ["too-late"]);
}

#[test]
fn a_second_signal_gives_running_jobs_back_uncounted() {
    let redis = Redis::start();
    let mut worker = Worker::start(&redis, &[]);
    submit(&redis, "endless", &jobs::endless_job("endless").to_string());
    let children = worker.wait_for_children();
    worker.terminate();
    worker.wait_for_log("asked to end");
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    wait_until_gone(&children, Duration::from_secs(1));
    assert_eq!(redis.ask::<Vec<String>>(&["LRANGE", QUEUE, "0", "-1"]), ["endless"]);
    let counts: Vec<Option<u32>> =
        redis.ask(&["HMGET", "{oculus:training_queue}:count:endless", "crashes", "vanished"]);
    assert_eq!(counts, [None, None]);
}

#[test]
fn a_killed_worker_leaves_no_children_and_another_finishes_its_job() {
    let redis = Redis::start();
    let mut first = Worker::start(&redis, &[]);
    submit(&redis, "orphan", &jobs::endless_job("orphan").to_string());
    let children = first.wait_for_children();
    let second = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "1")]);
    first.kill();
    wait_until_gone(&children, Duration::from_secs(1));
    second.wait_for_log("its worker vanished");
    let result = result_of(&redis, "orphan");
    assert_eq!(result["error"]["code"], "timeout", "the other worker ran it to its own end: {result}");
}

#[test]
fn a_job_that_runs_too_long_is_killed_with_all_its_children() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "1")]);
    submit(&redis, "endless", &jobs::endless_job("endless").to_string());
    let children = worker.wait_for_children();
    let result = result_of(&redis, "endless");
    assert_refused_for(&result, "endless");
    assert_eq!(result["error"]["code"], "timeout");
    wait_until_gone(&children, Duration::from_secs(1));
}

#[test]
fn a_job_whose_process_dies_too_often_is_a_dead_letter_that_names_the_signal() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("MAX_CRASHES", "2")]);
    submit(&redis, "doomed", &jobs::endless_job("doomed").to_string());
    kill(worker.wait_for_children()[0]);
    worker.wait_for_log("the job goes back to the queue");
    kill(worker.wait_for_children()[0]);
    let result = result_of(&redis, "doomed");
    assert_refused_for(&result, "doomed");
    assert_eq!(result["error"]["code"], "job_crashed");
    assert!(result["error"]["message"].as_str().unwrap().contains("signal 9"), "{result}");
    let letter: String = redis.ask(&["LINDEX", DEAD, "0"]);
    assert_eq!(serde_json::from_str::<Value>(&letter).unwrap()["signal"], 9);
    push(&redis, "next");
    assert_eq!(result_of(&redis, "next")["error"]["code"], "payload_missing");
}

#[test]
fn a_lost_lease_kills_the_job_and_discards_its_result() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    submit(&redis, "taken-away", &jobs::endless_job("taken-away").to_string());
    let children = worker.wait_for_children();
    let _: u64 = redis.ask(&["DEL", "{oculus:training_queue}:leases"]);
    wait_until_gone(&children, SOON);
    worker.wait_for_log("lost to another worker");
    assert_eq!(redis.ask::<Option<String>>(&["GET", "result:taken-away"]), None);
}

#[test]
fn a_cancel_flag_ends_the_job_as_cancelled() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    submit(&redis, "unwanted", &jobs::endless_job("unwanted").to_string());
    let children = worker.wait_for_children();
    let token: String = redis.ask(&["GET", "{oculus:training_queue}:running:unwanted"]);
    let _: u64 = redis.ask(&["HSET", &format!("{{oculus:training_queue}}:job:{token}"), "cancel", "1"]);
    assert_eq!(result_of(&redis, "unwanted")["status"], "cancelled");
    wait_until_gone(&children, Duration::from_secs(1));
    assert_eq!(redis.json_at("oculus:training:progress:unwanted")["status"], "cancelled");
}

#[test]
fn a_job_outlives_an_outage_of_redis_which_costs_one_warning() {
    let mut redis = Redis::start();
    // A lease that outlasts the outage by far, so that only the outage itself is at work.
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "10")]);
    submit(&redis, "patient", &jobs::slow_job("patient").to_string());
    worker.wait_for_children();
    redis.stop();
    worker.wait_for_log("does not serve");
    eventually("result on disk", SOON * 3, || kept_endings(&worker.spool()).pop());
    redis.start_again();
    assert_eq!(result_of(&redis, "patient")["status"], "success");
    worker.wait_for_log("serves again");
    eventually("empty spool", SOON, || kept_endings(&worker.spool()).is_empty().then_some(()));
    assert_eq!(worker.log().matches("Redis at").count(), 2, "{}", worker.log());
}

#[test]
fn a_result_that_its_worker_could_not_send_is_sent_by_the_next() {
    let mut redis = Redis::start();
    let artifacts = tempfile::tempdir().unwrap();
    let settings = [("LEASE_SECONDS", "60"), ("ARTIFACTS_DIR", artifacts.path().to_str().unwrap())];
    let mut first = Worker::start(&redis, &settings);
    submit(&redis, "kept", &jobs::slow_job("kept").to_string());
    first.wait_for_children();
    redis.stop();
    let spool = artifacts.path().join("spool");
    eventually("result on disk", SOON * 3, || kept_endings(&spool).pop());
    first.kill();
    redis.start_again();
    let second = Worker::start(&redis, &settings);
    assert_eq!(result_of(&redis, "kept")["status"], "success");
    eventually("empty spool", SOON, || kept_endings(&spool).is_empty().then_some(()));
    assert!(!second.log().contains("job started"), "nothing was trained twice");
}

#[test]
fn a_job_that_a_worker_holds_while_redis_returns_from_an_older_snapshot_costs_no_later_job_its_result() {
    let mut redis = Redis::start_with_snapshots();
    // A lease so long that the forgotten job ends before its next renewal.
    let settings = [("WORKER_CONCURRENCY", "1"), ("LEASE_SECONDS", "60")];
    let workers = [(); 2].map(|()| Worker::start(&redis, &settings));
    submit(&redis, "before", &jobs::job("before").to_string());
    assert_eq!(result_of(&redis, "before")["status"], "success");
    redis.save();
    submit(&redis, "forgotten", &jobs::slow_job("forgotten").to_string());
    let n_started = || workers.iter().map(|worker| worker.log().matches("job started").count()).sum::<usize>();
    eventually("start of the second job", SOON, || (n_started() == 2).then_some(()));

    redis.crash_and_recover();
    submit(&redis, "later", &jobs::slow_job("later").to_string());
    assert_eq!(result_of(&redis, "later")["status"], "success");
    let tokens: Vec<u64> = redis.ask(&["ZRANGE", "{oculus:training_queue}:leases", "0", "-1"]);
    assert_eq!((tokens, redis.ask::<u64>(&["LLEN", QUEUE])), (vec![], 0));
    assert_eq!(redis.ask::<Option<String>>(&["GET", "result:forgotten"]), None, "its worker has lost its claim");
}

/// The files of endings that wait for Redis.
fn kept_endings(spool: &Path) -> Vec<PathBuf> {
    let files = spool.read_dir().into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
}

#[test]
fn the_same_payload_pushed_again_after_its_success_runs_once() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    submit(&redis, "once", &jobs::job("once").to_string());
    let first = result_of(&redis, "once");
    assert_eq!(first["status"], "success", "{first}");
    push(&redis, "once");
    worker.wait_for_log("this payload has succeeded before");
    assert_eq!(result_of(&redis, "once"), first);
    assert_eq!(worker.log().matches("job started").count(), 1);
}

#[test]
fn jobs_of_a_second_queue_are_served_too() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[("JOB_QUEUE", "first,second")]);
    for queue in ["first", "second"] {
        let id = format!("absent-from-{queue}");
        let _: u64 = redis.ask(&["LPUSH", queue, &id]);
        assert_eq!(result_of(&redis, &id)["error"]["code"], "payload_missing");
    }
}

#[test]
fn entries_at_the_name_that_older_backends_use_are_warned_of() {
    let redis = Redis::start();
    let _: u64 = redis.ask(&["LPUSH", "training_queue", "old"]);
    Worker::start(&redis, &[]).wait_for_log("`training_queue` holds 1 entries");
}

#[test]
fn the_environment_of_a_job_holds_no_secret() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("POLYGON_API_KEY", "hunter2"), ("BACKEND_TOKEN", "hunter2")]);
    submit(&redis, "looked-at", &jobs::endless_job("looked-at").to_string());
    let read = |pid: u32, what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).ok();
    for pid in worker.wait_for_children() {
        // Until the child has become the new program, it still has the worker's memory.
        let environment = eventually("environment of the job", SOON, || {
            let is_itself = read(pid, "cmdline")? != read(worker.pid(), "cmdline")?;
            read(pid, "environ").filter(|environment| is_itself && environment.contains("PATH="))
        });
        assert!(!environment.contains("hunter2") && !environment.contains("REDIS_URL"), "{environment}");
    }
}

#[test]
fn a_backend_that_knows_no_worker_at_heartbeats_is_asked_in_growing_pauses() {
    let redis = Redis::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let worker = Worker::start(&redis, &[("BACKEND_URL", &url), ("HEARTBEAT_SECONDS", "1")]);
    let (mut registered, mut n_beats) = (Vec::new(), 0);
    while registered.len() < 5 {
        let (stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(&stream);
        let mut line = String::new();
        request.read_line(&mut line).unwrap();
        let is_beat = line.contains("heartbeat");
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            request.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        request.read_exact(&mut vec![0; length]).unwrap();
        let status = if is_beat { "404 Not Found" } else { "201 Created" };
        write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        if is_beat { n_beats += 1 } else { registered.push(Instant::now()) }
    }
    assert_eq!(n_beats, 4);
    let taken = registered[4] - registered[0];
    assert!(taken >= Duration::from_millis(50 + 100 + 200 + 400), "five registrations in {taken:?}");
    worker.wait_for_log("does not know this worker");
    assert_eq!(worker.log().matches("the backend").count(), 1, "{}", worker.log());
}

#[test]
fn an_idle_worker_that_is_asked_to_end_says_so() {
    let (redis, backend) = (Redis::start(), Backend::start());
    let mut worker = Worker::start(&redis, &[("BACKEND_URL", backend.url())]);
    backend.wait_until("heartbeat", |heard| !heard.heartbeats.is_empty());
    worker.terminate();
    assert!(worker.wait_for_end(SOON).success());
    backend.wait_until("draining", |heard| heard.heartbeats.iter().any(|beat| beat["state"] == "draining"));
}

#[test]
fn a_machine_that_starts_no_process_keeps_its_jobs_uncounted() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let pid = Pid::from_raw(worker.pid().cast_signed());
    let enough = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), maximum: enough.maximum }).unwrap();
    submit(&redis, "patient", &jobs::job("patient").to_string());
    worker.wait_for_log("no job process can be started");
    prlimit(pid, Resource::Nofile, enough).unwrap();
    assert_eq!(result_of(&redis, "patient")["status"], "success");
    worker.wait_for_log("job processes can be started again");
    assert_eq!(worker.log().matches("no job process can be started").count(), 1, "{}", worker.log());
    assert_eq!(redis.ask::<u64>(&["LLEN", DEAD]), 0);
}

#[test]
fn one_signal_ends_a_worker_whose_result_waits_on_disk() {
    let mut redis = Redis::start();
    let mut worker = Worker::start(&redis, &[("LEASE_SECONDS", "60")]);
    submit(&redis, "kept", &jobs::slow_job("kept").to_string());
    worker.wait_for_children();
    redis.stop();
    worker.wait_for_log("the result waits on disk for Redis");
    worker.terminate();
    assert!(worker.wait_for_end(SOON * 2).success());
    assert_eq!(kept_endings(&worker.spool()).len(), 1);
}

#[test]
fn what_redis_refuses_is_said_once_and_no_entry_is_lost() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let limit = |bytes: &str| redis.ask::<()>(&["CONFIG", "SET", "maxmemory", bytes]);
    push(&redis, "absent");
    assert_eq!(result_of(&redis, "absent")["error"]["code"], "payload_missing");
    let () = redis.ask(&["RENAME", DEAD, "old"]);
    let _: u64 = redis.ask(&["HSET", DEAD, "a", "list", "b", "it is not"]);
    push(&redis, "again");
    worker.wait_for_log("refuses `finish at `oculus:training_queue``");
    limit("1");
    worker.wait_for_log("refuses `wait at `oculus:training_queue``");
    limit("0");
    let _: u64 = redis.ask(&["DEL", DEAD]);
    assert_eq!(result_of(&redis, "again")["error"]["code"], "payload_missing");
    worker.wait_for_log("does `finish at");
    worker.wait_for_log("does `wait at");
    for step in ["refuses `finish at", "refuses `wait at"] {
        assert_eq!(worker.log().matches(step).count(), 1, "{}", worker.log());
    }
    assert!(!worker.log().contains("serves again"), "Redis was there all the time");
}

#[test]
fn a_redis_that_hung_costs_no_worker_its_jobs() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "2")]);
    submit(&redis, "held", &jobs::endless_job("held").to_string());
    worker.wait_for_children();
    let told: String = redis.ask(&["INFO", "server"]);
    let pid = told.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    eventually("outage", SOON * 2, || worker.log().contains("Redis at").then_some(()));
    kill_process(pid, Signal::CONT).unwrap();
    worker.wait_for_log("serves again");
    let token: String = redis.ask(&["GET", "{oculus:training_queue}:running:held"]);
    let _: u64 = redis.ask(&["HSET", &format!("{{oculus:training_queue}}:job:{token}"), "cancel", "1"]);
    assert_eq!(result_of(&redis, "held")["status"], "cancelled", "the worker still holds it");
    assert!(!worker.log().contains("its worker vanished"), "{}", worker.log());
    assert_eq!(worker.log().matches("job started").count(), 1);
}
