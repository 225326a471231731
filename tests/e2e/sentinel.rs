//! Fail-over with three real sentinels, a primary and a replica.

use std::time::{Duration, Instant};

use oculus_tests::certificates::Certificates;
use oculus_tests::redis_server::QUEUE;
use oculus_tests::sentinels::{GROUP, SentinelSite, SiteOptions};
use oculus_tests::{Redis, SOON, Worker, command, eventually, jobs, processes};
use serde_json::json;

/// The limit for fetching a job from a new primary.
const RESUME_LIMIT: Duration = Duration::from_secs(10);

/// The limit for leaving a primary that does not respond.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// Waits until every entry of a list has been fetched.
fn wait_until_fetched(redis: &Redis) {
    eventually("empty queue", SOON * 2, || (redis.query::<u64>(&["LLEN", QUEUE]) == 0).then_some(()));
}

/// Waits until the replica has received everything that the primary has written.
fn wait_for_replication(site: &SentinelSite) {
    eventually("replicated writes", SOON, || {
        let offset = |redis: &Redis, field| redis.info("replication", field);
        let written = offset(site.first(), "master_repl_offset")?;
        (offset(site.second(), "slave_repl_offset")? == written).then_some(())
    });
}

/// Runs a job while `fail` makes the primary unavailable, then another one, and asserts that both
/// succeed on the new primary within the limits.
fn assert_follows_failover(site: &SentinelSite, settings: &[(&str, &str)], url: &str, fail: impl FnOnce()) {
    // The lease is longer than the fail-over, so the running job is not requeued.
    let worker = Worker::start_at(url, &[&[("LEASE_SECONDS", "30")], settings].concat());
    site.first().submit(&jobs::slow_job("running"));
    site.first().wait_for_trial("running", 1);
    wait_for_replication(site);
    let failed = Instant::now();
    fail();
    site.wait_for_failover();
    let promoted = Instant::now();
    site.second().submit(&jobs::job("after"));
    wait_until_fetched(site.second());
    let (resumed, left) = (promoted.elapsed(), failed.elapsed());
    eprintln!("fail-over after {:?}, first fetch {resumed:?} later", promoted - failed);
    assert!(resumed < RESUME_LIMIT, "a job was fetched {resumed:?} after the fail-over");
    assert!(left < LEAVE_LIMIT, "the former primary was left after {left:?}");
    for id in ["running", "after"] {
        let result = site.second().result_of(id);
        assert_eq!(result["status"], "success", "{result}");
    }
    assert_eq!(worker.n_events(|event| event.is_start_of("running")), 1, "the running job is not run again");
}

#[test]
fn jobs_continue_on_the_new_primary_when_the_old_one_is_killed() {
    let site = SentinelSite::start();
    let url = site.url();
    assert_follows_failover(&site, &[], &url, || processes::kill(site.first().pid()));
}

#[test]
fn jobs_continue_on_the_new_primary_when_the_old_one_is_frozen() {
    let site = SentinelSite::start();
    let url = site.url();
    assert_follows_failover(&site, &[], &url, || site.first().freeze());
    site.first().thaw();
}

#[test]
fn jobs_continue_on_the_new_primary_when_the_network_to_the_old_one_fails() {
    let site = SentinelSite::start();
    let url = site.url();
    assert_follows_failover(&site, &[], &url, || site.servers[0].proxy.stall());
}

#[test]
fn jobs_continue_when_the_primary_fails_over_and_back() {
    // By default, the sentinels of the tests wait 12 s before the next fail-over.
    let sentinel = ["sentinel failover-timeout oculus 3000"];
    let site = SentinelSite::start_with(&SiteOptions { sentinel: &sentinel, ..SiteOptions::default() });
    let _worker = Worker::start_at(&site.url(), &[]);
    for (primary, job) in [(0, "there"), (1, "back")] {
        eventually("complete replica", SOON, || site.can_fail_over_from(primary).then_some(()));
        site.servers[primary].proxy.stall();
        site.wait_for_promotion(1 - primary);
        let promoted = &site.servers[1 - primary].redis;
        promoted.submit(&jobs::job(job));
        assert_eq!(promoted.result_of(job)["status"], "success");
        site.servers[primary].proxy.resume();
    }
}

#[test]
fn a_sentinel_that_is_gone_is_skipped() {
    let mut site = SentinelSite::start();
    let url = site.url();
    site.sentinels[0].kill();
    Worker::start_at(&url, &[]);
}

#[test]
fn servers_and_sentinels_have_separate_logins_and_both_use_tls() {
    let certificates = Certificates::new();
    let site = SentinelSite::start_with(&SiteOptions {
        server: &["--user", "worker", "on", ">server-secret", "~*", "&*", "+@all", "-@dangerous", "+info", "+role"],
        sentinel: &["user worker on >sentinel-secret -@all +sentinel|get-master-addr-by-name"],
        tls: Some(&certificates),
    });
    let url = site.url().replace("redis+sentinel://", "rediss+sentinel://worker:server-secret@");
    let ca = certificates.file("ca.pem");
    let login = [
        ("REDIS_TLS_CA", ca.as_str()),
        ("REDIS_SENTINEL_USERNAME", "worker"),
        ("REDIS_SENTINEL_PASSWORD", "sentinel-secret"),
    ];
    assert_follows_failover(&site, &login, &url, || site.servers[0].proxy.stall());
    let wrong = [login[0], login[1], ("REDIS_SENTINEL_PASSWORD", "wrong")];
    let worker = Worker::launch_at(&url, &wrong);
    let event = worker.wait_for_event("rejected login", |event| event.warns_of("does not accept this worker"));
    assert!(event.mentions("REDIS_SENTINEL_PASSWORD") && !worker.log().contains("server-secret"), "{}", worker.log());
}

#[test]
fn the_reaper_waits_one_lease_after_a_failover() {
    let site = SentinelSite::start();
    let url = site.url();
    let settings = [("LEASE_SECONDS", "6"), ("WORKER_CONCURRENCY", "1")];
    let mut vanishing = Worker::start_at(&url, &settings);
    site.first().submit(&jobs::endless_job("orphan"));
    site.first().wait_for_trial("orphan", 1);
    let worker = Worker::start_at(&url, &settings);
    wait_for_replication(&site);
    vanishing.kill();
    site.servers[0].proxy.stall();
    site.wait_for_failover();
    let promoted = Instant::now();
    worker.wait_for_event("reap", |event| event.is_reap_of("orphan"));
    assert!(promoted.elapsed() > Duration::from_secs(6), "reaped {:?} after the fail-over", promoted.elapsed());
}

#[test]
fn a_result_that_no_replica_has_confirmed_stays_on_disk_and_survives_the_loss_of_the_primary() {
    let site = SentinelSite::start();
    let worker = Worker::start_at(&site.url(), &[("LEASE_SECONDS", "30"), ("REDIS_WAIT_REPLICAS", "1")]);
    site.first().submit(&jobs::job("confirmed"));
    site.first().result_of("confirmed");
    wait_for_replication(&site);
    site.first().submit(&jobs::job("unconfirmed"));
    site.first().wait_for_trial("unconfirmed", 1);
    site.second().freeze();
    site.first().result_of("unconfirmed");
    worker.wait_for_event("missing confirmation", |event| event.warns_of("0 of 1 replicas"));
    let n_spooled = || std::fs::read_dir(worker.spool()).map_or(0, Iterator::count);
    eventually("spooled result", SOON, || (n_spooled() == 1).then_some(()));
    // The replica has at most those writes that were on their way.
    processes::kill(site.first().pid());
    site.second().thaw();
    site.wait_for_failover();
    assert_eq!(site.second().result_of("unconfirmed")["status"], "success");
    assert_eq!(worker.n_events(|event| event.is_start_of("unconfirmed")), 1, "the job is not run again");
}

#[test]
fn commands_find_the_primary_through_the_sentinels() {
    let site = SentinelSite::start();
    let url = site.url();
    let _worker = Worker::start_at(&url, &[]);
    let output = command::run_on(&jobs::job("by-command"), &["submit", "--wait", "--json"], &[("REDIS_URL", &url)]);
    assert_eq!((output.code, &output.json()["status"]), (0, &json!("success")), "{output:?}");
}

#[test]
fn mistakes_in_a_sentinel_address_are_named() {
    let site = SentinelSite::start();
    let sentinel = site.sentinels[0].port();
    let server = site.first().port();
    for (url, text) in [
        (format!("redis+sentinel://localhost:{sentinel}/other"), "knows no group `other`"),
        (format!("redis+sentinel://localhost:{server}/{GROUP}"), "is not a sentinel"),
    ] {
        let worker = Worker::launch_at(&url, &[]);
        worker.wait_for_event(text, |event| event.warns_of(text));
    }
    let mut worker = Worker::launch_at(&format!("redis://localhost:{sentinel}"), &[]);
    assert_eq!(worker.wait_for_end(SOON).code(), Some(2));
    eventually("error", SOON, || worker.log().contains("the server is a sentinel").then_some(()));
}
