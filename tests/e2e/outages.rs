//! Workers while Redis is unavailable, pauses, rejects commands, or returns in an older state.

use std::path::{Path, PathBuf};

use oculus_tests::log::LogEvent;
use oculus_tests::processes::is_running;
use oculus_tests::redis_server::{DEAD, LEASES, QUEUE};
use oculus_tests::{Redis, SOON, Worker, eventually, jobs};
use rustix::process::{Pid, Signal, kill_process};

/// Returns the files of results that wait for Redis.
fn spooled_results(spool: &Path) -> Vec<PathBuf> {
    let files = spool.read_dir().into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
}

#[test]
fn a_job_survives_an_outage_of_redis_which_causes_one_warning() {
    let mut redis = Redis::start();
    // The lease outlasts the outage, so that only the outage is tested.
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "10")]);
    redis.submit(&jobs::slow_job("patient"));
    worker.wait_for_children();
    redis.stop();
    let url = redis.url();
    worker.wait_for_event("outage of Redis", |event| event.warns_of(&url));
    eventually("result on disk", SOON * 3, || spooled_results(&worker.spool()).pop());
    redis.restart();
    assert_eq!(redis.result_of("patient")["status"], "success");
    let is_end = |event: &LogEvent| event.level() == "INFO" && event.mentions(&url);
    worker.wait_for_event("end of the outage", is_end);
    eventually("empty spool", SOON, || spooled_results(&worker.spool()).is_empty().then_some(()));
    assert_eq!((worker.n_events(|event| event.mentions(&url)), worker.n_events(is_end)), (2, 1), "{}", worker.log());
}

/// Starts two workers one after the other. The first cannot submit a result, because `stop` has stopped
/// Redis, and is killed. The second submits the result from the folder of artifacts.
fn assert_next_worker_submits(mut redis: Redis, stop: impl FnOnce(&mut Redis)) {
    let artifacts = tempfile::tempdir().unwrap();
    let settings = [("LEASE_SECONDS", "60"), ("ARTIFACTS_DIR", artifacts.path().to_str().unwrap())];
    let mut first = Worker::start(&redis, &settings);
    redis.submit(&jobs::slow_job("kept"));
    first.wait_for_children();
    stop(&mut redis);
    let spool = artifacts.path().join("spool");
    eventually("result on disk", SOON * 3, || spooled_results(&spool).pop());
    first.kill();
    redis.restart();
    let second = Worker::start(&redis, &settings);
    assert_eq!(redis.result_of("kept")["status"], "success");
    eventually("empty spool", SOON, || spooled_results(&spool).is_empty().then_some(()));
    assert_eq!(second.n_events(|event| event.is_start_of("kept")), 0, "the second worker does not train");
}

#[test]
fn the_next_worker_submits_a_result_that_the_previous_one_could_not_submit() {
    assert_next_worker_submits(Redis::start(), Redis::stop);
}

#[test]
fn a_result_on_disk_whose_claim_redis_has_lost_is_accepted_from_the_next_worker() {
    let redis = Redis::start_with_snapshots();
    redis.save();
    assert_next_worker_submits(redis, Redis::kill);
}

#[test]
fn a_job_that_only_its_worker_knows_after_redis_is_restored_from_an_older_snapshot_is_finished() {
    let mut redis = Redis::start_with_snapshots();
    // The lease is so long that the forgotten job finishes before its next renewal.
    let settings = [("WORKER_CONCURRENCY", "1"), ("LEASE_SECONDS", "60")];
    let workers = [(); 2].map(|()| Worker::start(&redis, &settings));
    redis.submit(&jobs::job("before"));
    assert_eq!(redis.result_of("before")["status"], "success");
    redis.save();
    redis.submit(&jobs::slow_job("forgotten"));
    let is_started = || workers.iter().any(|worker| worker.n_events(|event| event.is_start_of("forgotten")) > 0);
    eventually("start of the second job", SOON, || is_started().then_some(()));

    redis.crash_and_recover();
    redis.submit(&jobs::slow_job("later"));
    assert_eq!(redis.result_of("later")["status"], "success");
    assert_eq!(redis.result_of("forgotten")["status"], "success");
    let n_starts: usize = workers.iter().map(|worker| worker.n_events(|event| event.is_start_of("forgotten"))).sum();
    assert_eq!(n_starts, 1, "its worker has continued");
    let tokens: Vec<u64> = redis.query(&["ZRANGE", LEASES, "0", "-1"]);
    assert_eq!((tokens, redis.query::<u64>(&["LLEN", QUEUE])), (vec![], 0));
}

#[test]
fn a_running_job_whose_claim_redis_has_lost_is_leased_again_while_it_runs() {
    let mut redis = Redis::start_with_snapshots();
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "2")]);
    redis.save();
    redis.submit(&jobs::endless_job("forgotten"));
    let children = worker.wait_for_children();
    redis.crash_and_recover();
    eventually("restored lease", SOON, || redis.query::<Vec<u64>>(&["ZRANGE", LEASES, "0", "-1"]).pop());
    assert!(children.iter().all(|pid| is_running(*pid)), "the job process was not restarted");
    redis.cancel("forgotten");
    assert_eq!(redis.result_of("forgotten")["status"], "cancelled");
}

#[test]
fn one_signal_stops_a_worker_whose_result_waits_on_disk() {
    let mut redis = Redis::start();
    let mut worker = Worker::start(&redis, &[("LEASE_SECONDS", "60")]);
    redis.submit(&jobs::slow_job("kept"));
    worker.wait_for_children();
    redis.stop();
    eventually("result on disk", SOON * 3, || spooled_results(&worker.spool()).pop());
    worker.terminate();
    assert!(worker.wait_for_end(SOON * 2).success());
    assert_eq!(spooled_results(&worker.spool()).len(), 1);
}

#[test]
fn a_command_that_redis_rejects_is_logged_once_and_no_entry_is_lost() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let limit = |bytes: &str| redis.query::<()>(&["CONFIG", "SET", "maxmemory", bytes]);
    redis.push("absent");
    assert_eq!(redis.result_of("absent")["error"]["code"], "payload_missing");
    let () = redis.query(&["RENAME", DEAD, "old"]);
    let _: u64 = redis.query(&["HSET", DEAD, "a", "list", "b", "it is not"]);
    redis.push("again");
    let url = redis.url();
    // The log names the rejected step and its queue.
    let is_step = |event: &LogEvent| event.mentions(&url) && event.mentions(&format!(" on {QUEUE}`"));
    let is_about = |event: &LogEvent, step: &str| is_step(event) && event.mentions(&format!("`{step} "));
    let rejects = |step: &'static str| move |event: &LogEvent| event.level() == "WARN" && is_about(event, step);
    let recovers = |step: &'static str| move |event: &LogEvent| event.level() == "INFO" && is_about(event, step);
    worker.wait_for_event("rejected finish", rejects("finish"));
    limit("1");
    worker.wait_for_event("rejected wait", rejects("wait"));
    limit("0");
    let _: u64 = redis.query(&["DEL", DEAD]);
    assert_eq!(redis.result_of("again")["error"]["code"], "payload_missing");
    for step in ["finish", "wait"] {
        worker.wait_for_event("recovery of the step", recovers(step));
        assert_eq!(worker.n_events(rejects(step)), 1, "{}", worker.log());
    }
    let n_outages = worker.n_events(|event| event.mentions(&url) && !is_step(event));
    assert_eq!(n_outages, 0, "Redis was available the whole time: {}", worker.log());
}

#[test]
fn a_worker_keeps_its_jobs_when_redis_pauses() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("LEASE_SECONDS", "2")]);
    redis.submit(&jobs::endless_job("held"));
    worker.wait_for_children();
    let info: String = redis.query(&["INFO", "server"]);
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let url = redis.url();
    let is_about = |event: &LogEvent, level: &str| event.level() == level && event.mentions(&url);
    eventually("outage", SOON * 2, || (worker.n_events(|event| is_about(event, "WARN")) > 0).then_some(()));
    kill_process(pid, Signal::CONT).unwrap();
    worker.wait_for_event("end of the outage", |event| is_about(event, "INFO"));
    redis.cancel("held");
    assert_eq!(redis.result_of("held")["status"], "cancelled", "the worker still holds the lease");
    assert_eq!(worker.n_events(|event| event.is_reap_of("held")), 0, "{}", worker.log());
    assert_eq!(worker.n_events(|event| event.is_start_of("held")), 1);
}
