//! Workers on a machine that was suspended: the wall clock has advanced, the monotonic clock has
//! not.
#![cfg(target_os = "linux")]

use std::path::Path;

use oculus_tests::processes::{is_running, wait_until_gone};
use oculus_tests::redis_server::LEASES;
use oculus_tests::{Redis, SOON, Worker, build, eventually, jobs};

/// A worker whose wall clock can be set forward.
struct SleepyWorker {
    worker: Worker,
    clock: tempfile::TempPath,
}

impl SleepyWorker {
    /// Starts a worker that renews its leases every 100 s, so that each earlier renewal has another
    /// cause.
    fn start(redis: &Redis) -> Self {
        let clock = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let library = build::library("oculus_test_clock");
        let settings = [
            ("LEASE_SECONDS", "300"),
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("OCULUS_TEST_CLOCK", clock.to_str().unwrap()),
        ];
        Self { worker: Worker::start(redis, &settings), clock }
    }

    /// Sets the wall clock one hour forward, as a suspend of one hour does.
    fn suspend_for_an_hour(&self) {
        let file: &Path = &self.clock;
        std::fs::write(file, "3600").unwrap();
    }
}

/// Returns the times at which the leases end, in ms since 1970.
fn lease_ends(redis: &Redis) -> Vec<f64> {
    let pairs: Vec<f64> = redis.query(&["ZRANGE", LEASES, "0", "-1", "WITHSCORES"]);
    pairs.chunks(2).map(|pair| pair[1]).collect()
}

#[test]
fn after_a_suspend_a_worker_renews_its_leases_at_once_and_continues() {
    let redis = Redis::start();
    let machine = SleepyWorker::start(&redis);
    redis.submit(&jobs::endless_job("long"));
    let children = machine.worker.wait_for_children();
    let before = lease_ends(&redis);
    assert_eq!(before.len(), 1);
    machine.suspend_for_an_hour();
    eventually("renewed lease", SOON, || (lease_ends(&redis)[0] > before[0]).then_some(()));
    assert!(children.iter().all(|pid| is_running(*pid)), "the job process was not restarted");
}

#[test]
fn after_a_suspend_a_worker_stops_a_job_that_another_worker_has_taken_over_and_publishes_nothing() {
    let redis = Redis::start();
    let machine = SleepyWorker::start(&redis);
    redis.submit(&jobs::endless_job("taken"));
    let children = machine.worker.wait_for_children();
    let token: u64 = redis.query::<Vec<u64>>(&["ZRANGE", LEASES, "0", "-1"])[0];
    // The trace of a lease that has expired, and of the entry that the reaper has requeued.
    redis.query::<()>(&["DEL", &format!("{{oculus:training_queue}}:job:{token}")]);
    redis.query::<()>(&["ZREM", LEASES, &token.to_string()]);
    machine.suspend_for_an_hour();
    redis.query::<()>(&["SET", "oculus:training:progress:taken", "of another worker"]);
    wait_until_gone(&children, SOON);
    assert_eq!(redis.query::<String>(&["GET", "oculus:training:progress:taken"]), "of another worker");
    assert_eq!(redis.query::<Option<String>>(&["GET", "result:taken"]), None);
    machine.worker.wait_for_event("lost lease", |event| event.level() == "WARN" && event.text("job") == Some("taken"));
}
