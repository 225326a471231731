//! The queue's scripts with a real redis-server, through the interface of the queue.

mod adoption;
mod audit;
mod cancellation;
mod dead_letters;
mod failed_results;
mod faults;
mod job_log;
mod model;
mod overview;
mod reconnect;
mod resubmission;
mod snapshot;
mod stale_results;
mod submissions;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oculus_host::config::{Config, ConfigFlags, QueueConfig, QueueEnd, RedisAddress};
use oculus_host::worker::claim::{Claim, Holder};
use oculus_host::worker::claim_outcome::{ClaimOutcome, DeadLetter, ResultMessage};
use oculus_host::worker::intake::{Admission, admit};
use oculus_host::worker::operations::Operations;
use oculus_host::worker::outage::Outage;
use oculus_host::worker::queue::{Fetched, FinishStatus, LeaseStatus, MAX_VANISHED, Queue, Reaped, Start};
use oculus_host::worker::redis_client::{Connector, RedisClient};
use oculus_job::code::ErrorCode;
use oculus_tests::Redis;
use serde_json::{Value, json};

const Q: &str = "q";

fn config() -> QueueConfig {
    Config::load(&ConfigFlags::default(), [], Path::new("/nowhere")).unwrap().queue
}

fn client(redis: &Redis) -> Arc<RedisClient> {
    client_at(&redis.url())
}

fn client_at(url: &str) -> Arc<RedisClient> {
    let connector = Connector::new(RedisAddress::parse(url).unwrap());
    let response_timeout = connector.response_timeout();
    Arc::new(RedisClient::new(connector, response_timeout, Outage::new("Redis")))
}

fn queue_with(redis: &Redis, config: &QueueConfig) -> Queue {
    Queue::new(Q, &Holder::new("worker").unwrap(), config, client(redis))
}

fn queue(redis: &Redis) -> Queue {
    queue_with(redis, &config())
}

fn operations(redis: &Redis) -> Operations {
    let config = QueueConfig { names: vec![Q.to_owned()], ..config() };
    Operations::new(client(redis), &config, "tester")
}

fn push(redis: &Redis, entry: &str) {
    let _: u64 = redis.query(&["LPUSH", Q, entry]);
}

async fn fetch(queue: &Queue) -> Claim {
    match queue.fetch().await.unwrap() {
        Fetched::Claimed(claim) => claim,
        other => panic!("no entry: {other:?}"),
    }
}

/// Fetches an entry and starts it as the job `id`. The queue must permit the attempt.
async fn run(queue: &Queue, id: &str) -> Claim {
    let claim = fetch(queue).await;
    assert!(matches!(queue.start(claim.id, id, "sha").await.unwrap(), Start::Run { .. }));
    claim
}

/// Makes a lease expire immediately, as if its worker had vanished long ago.
fn expire(redis: &Redis, claim: &Claim) {
    let _: u64 = redis.query(&["ZADD", "{q}:leases", "XX", "CH", "1", &claim.id.token.to_string()]);
}

async fn reap(queue: &Queue) -> redis::RedisResult<Vec<Reaped>> {
    queue.reap(queue.now().await? + 2000).await
}

fn dead(reason: ErrorCode) -> ClaimOutcome {
    let message = ResultMessage { result: r#"{"status":"failed"}"#.into(), event: r#"{"dead":true}"#.into() };
    ClaimOutcome::Dead { letter: DeadLetter::new(reason), message }
}

fn waiting(redis: &Redis) -> Vec<String> {
    redis.query(&["LRANGE", Q, "0", "-1"])
}

fn success() -> ClaimOutcome {
    let message = ResultMessage { result: r#"{"status":"success"}"#.into(), event: r#"{"phase":"complete"}"#.into() };
    ClaimOutcome::Result { message, succeeded: Some("sha".into()), submission: None }
}

fn failure() -> ClaimOutcome {
    ClaimOutcome::Result {
        message: ResultMessage { result: r#"{"status":"failed"}"#.into(), event: "{}".into() },
        succeeded: None,
        submission: None,
    }
}

fn crash() -> ClaimOutcome {
    let letter = DeadLetter { signal: Some(11), last_lines: "a\nb".into(), ..DeadLetter::new(ErrorCode::JobCrashed) };
    let message = ResultMessage { result: r#"{"status":"failed"}"#.into(), event: r#"{"last":true}"#.into() };
    ClaimOutcome::Crash { requeued: r#"{"last":false}"#.into(), letter, message }
}

#[tokio::test]
async fn an_entry_is_always_in_the_list_or_under_a_claim() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    // The reply to the fetch may be lost, so only the state of Redis is checked.
    let claim = fetch(&queue).await;
    assert_eq!(waiting(&redis), [""; 0]);
    let held: String = redis.query(&["HGET", &format!("{{q}}:job:{}", claim.id.token), "entry"]);
    let lease: f64 = redis.query(&["ZSCORE", "{q}:leases", &claim.id.token.to_string()]);
    assert_eq!(held, "job-1");
    let time: Vec<f64> = redis.query(&["TIME"]);
    assert!(lease > time[0] * 1000.0 && lease <= (time[0] + 31.0) * 1000.0, "{lease} at {time:?}");
    expire(&redis, &claim);
    assert_eq!(reap(&queue).await.unwrap()[0].status, FinishStatus::Requeued);
    assert_eq!(waiting(&redis), ["job-1"]);
    let leases: u64 = redis.query(&["ZCARD", "{q}:leases"]);
    assert_eq!(leases, 0);
}

#[tokio::test]
async fn a_fetch_stores_the_id_of_a_plain_entry_and_returns_its_payload_if_it_is_small() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let large = "x".repeat(1 << 20);
    for (id, payload) in [("small", "{}"), ("large", large.as_str())] {
        let () = redis.query(&["SET", &format!("job:{id}"), payload]);
    }
    let _: u64 = redis.query(&["LPUSH", "job:list", "x"]);
    for (entry, is_named, payload) in [
        ("small", true, Some("{}")),
        ("large", true, None),
        ("list", true, None),
        ("absent", true, None),
        ("job:small", false, None),
        ("\"small\"", false, None),
        (r#"{"job_id":"small"}"#, false, None),
    ] {
        push(&redis, entry);
        let claim = fetch(&queue).await;
        assert_eq!(claim.is_named, is_named, "{entry}");
        assert_eq!(claim.payload.as_deref(), payload.map(str::as_bytes), "{entry}");
        let stored: Option<String> = redis.query(&["HGET", &format!("{{q}}:job:{}", claim.id.token), "id"]);
        assert_eq!(stored.as_deref(), is_named.then_some(entry));
    }
}

#[tokio::test]
async fn a_claim_has_the_number_of_entries_that_still_wait() {
    let redis = Redis::start();
    let queue = queue(&redis);
    ["job-1", "job-2", "job-3"].iter().for_each(|entry| push(&redis, entry));
    for expected in [2, 1, 0] {
        assert_eq!(fetch(&queue).await.queue_length, expected);
    }
}

#[tokio::test]
async fn a_live_lease_is_not_reaped() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    assert_eq!(reap(&queue).await.unwrap(), []);
    assert_eq!(queue.finish(claim.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
}

#[tokio::test]
async fn a_claim_that_lost_its_lease_can_neither_renew_nor_finish() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let first = run(&queue, "job-1").await;
    expire(&redis, &first);
    reap(&queue).await.unwrap();
    let second = run(&queue, "job-1").await;
    assert!(second.id.token > first.id.token);
    assert_eq!(queue.renew(first.id).await.unwrap(), LeaseStatus::Lost);
    for outcome in [success(), ClaimOutcome::Release, crash()] {
        assert_eq!(queue.finish(first.id, Some("job-1"), &outcome).await.unwrap(), FinishStatus::Fenced);
    }
    assert_eq!(redis.query::<Option<String>>(&["GET", "result:job-1"]), None);
    assert_eq!(waiting(&redis), [""; 0]);
    assert_eq!(queue.finish(second.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(redis.json_at("result:job-1"), json!({ "status": "success" }));
}

#[tokio::test]
async fn an_expired_lease_can_be_renewed_until_it_is_reaped() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    expire(&redis, &claim);
    assert_eq!(queue.renew(claim.id).await.unwrap(), LeaseStatus::Held);
    assert_eq!(reap(&queue).await.unwrap(), []);
}

#[tokio::test]
async fn the_tenth_vanished_worker_makes_a_dead_letter_with_a_failed_result() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    for times in 1..=MAX_VANISHED {
        let claim = run(&queue, "job-1").await;
        expire(&redis, &claim);
        let reaped = reap(&queue).await.unwrap().remove(0);
        assert_eq!((reaped.id.as_deref(), reaped.worker.as_str()), (Some("job-1"), "worker"));
        if times < MAX_VANISHED {
            assert_eq!(reaped.status, FinishStatus::Requeued);
            assert_eq!(redis.query::<u32>(&["HGET", "{q}:count:job-1", "vanished"]), times);
        } else {
            assert_eq!(reaped.status, FinishStatus::Dead);
        }
    }
    assert_eq!(waiting(&redis), [""; 0]);
    let result = redis.json_at("result:job-1");
    assert_eq!((&result["build_id"], &result["status"]), (&json!("job-1"), &json!("failed")));
    assert_eq!(result["error"]["code"], json!("worker_vanished"));
    let event = redis.json_at("oculus:training:progress:job-1");
    assert_eq!((&event["job_id"], &event["status"]), (&json!("job-1"), &json!("failed")));
    let letter = dead_letter(&redis);
    assert_eq!((&letter["entry"], &letter["reason"]), (&json!("job-1"), &json!("worker_vanished")));
    assert!(
        redis.query::<Vec<String>>(&["KEYS", "{q}:count:*"]).is_empty(),
        "the counts are removed with the final result"
    );
}

fn dead_letter(redis: &Redis) -> Value {
    let letter: String = redis.query(&["LINDEX", "{q}:dead", "0"]);
    serde_json::from_str(&letter).unwrap()
}

#[tokio::test]
async fn crashes_requeue_a_job_up_to_the_limit_and_then_make_a_dead_letter() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    for times in 1..=3 {
        let claim = fetch(&queue).await;
        let started = queue.start(claim.id, "job-1", "sha").await.unwrap();
        assert_eq!(started, Start::Run { attempt: times, crashes: times - 1 });
        let finish = queue.finish(claim.id, Some("job-1"), &crash()).await.unwrap();
        assert_eq!(finish, if times < 3 { FinishStatus::Requeued } else { FinishStatus::Dead });
        assert_eq!(redis.json_at("oculus:training:progress:job-1")["last"], json!(times == 3));
    }
    let letter = dead_letter(&redis);
    assert_eq!((&letter["signal"], &letter["last_lines"]), (&json!(11), &json!("a\nb")));
    assert_eq!(redis.json_at("result:job-1")["status"], json!("failed"));
}

#[tokio::test]
async fn a_duplicate_of_a_running_job_with_an_equal_payload_is_dropped() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    push(&redis, "job-1");
    let first = run(&queue, "job-1").await;
    let second = fetch(&queue).await;
    assert_eq!(queue.start(second.id, "job-1", "sha").await.unwrap(), Start::Running { token: first.id.token });
    assert_eq!(queue.renew(second.id).await.unwrap(), LeaseStatus::Lost);
    assert_eq!(queue.renew(first.id).await.unwrap(), LeaseStatus::Held);
}

#[tokio::test]
async fn a_payload_that_succeeded_is_not_run_again_while_its_result_exists() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    queue.finish(claim.id, Some("job-1"), &success()).await.unwrap();
    let _: u64 = redis.query(&["DEL", "oculus:training:progress:job-1"]);

    push(&redis, "job-1");
    let again = fetch(&queue).await;
    assert_eq!(queue.start(again.id, "job-1", "sha").await.unwrap(), Start::AlreadySucceeded);
    let event = redis.json_at("oculus:training:progress:job-1");
    assert_eq!((&event["phase"], &event["status"]), (&json!("complete"), &json!("completed")));

    push(&redis, "job-1");
    let changed = fetch(&queue).await;
    assert!(matches!(queue.start(changed.id, "job-1", "other payload").await.unwrap(), Start::Run { .. }));
    queue.finish(changed.id, Some("job-1"), &failure()).await.unwrap();

    push(&redis, "job-1");
    let failed = fetch(&queue).await;
    assert!(
        matches!(queue.start(failed.id, "job-1", "sha").await.unwrap(), Start::Run { .. }),
        "a failed job runs again"
    );
    queue.finish(failed.id, Some("job-1"), &success()).await.unwrap();
    let _: u64 = redis.query(&["DEL", "result:job-1"]);
    push(&redis, "job-1");
    run(&queue, "job-1").await;
}

#[tokio::test]
async fn payloads_are_found_by_id_by_key_and_in_the_entry() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let payload = |id: &str| json!({ "build_id": id, "symbols": ["A"] }).to_string();
    for (key, id) in [
        ("job:by-id", "by-id"),
        ("job:job:nested", "job:nested"),
        ("some:key", "some:key"),
        ("job:by-key", "by-key"),
        ("elsewhere", "pointed"),
    ] {
        let () = redis.query(&["SET", key, &payload(id)]);
    }
    for (entry, id) in [
        ("by-id".to_owned(), "by-id"),
        ("\"by-id\"".to_owned(), "by-id"),
        (r#"{"job_id":"by-id"}"#.to_owned(), "by-id"),
        ("job:by-key".to_owned(), "by-key"),
        ("job:nested".to_owned(), "job:nested"),
        ("some:key".to_owned(), "some:key"),
        (r#"{"job_id":"pointed","payload_key":"elsewhere"}"#.to_owned(), "pointed"),
        (payload("inline"), "inline"),
    ] {
        push(&redis, &entry);
        let claim = fetch(&queue).await;
        let Admission::Run(job) = admit(&queue, &claim).await.unwrap() else { panic!("{entry} does not run") };
        assert_eq!((job.id.as_str(), job.attempt), (id, 1), "of {entry}");
        assert_eq!(job.payload, payload(id));
        let release = queue.finish(claim.id, Some(id), &ClaimOutcome::Release).await.unwrap();
        assert_eq!(release, FinishStatus::Finished);
        let _: String = redis.query(&["RPOP", Q]);
    }
}

#[tokio::test]
async fn an_entry_without_a_usable_payload_is_refused_with_its_id() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let _: u64 = redis.query(&["LPUSH", "job:list", "x"]);
    let () = redis.query(&["SET", "job:text", "not json"]);
    let () =
        redis.query(&["SET", "job:large", &format!("{{\"build_id\":\"large\",\"x\":\"{}\"}}", "y".repeat(10 << 20))]);
    for (id, code) in [
        ("list", "payload_unreadable"),
        ("text", "payload_not_json"),
        ("large", "payload_too_large"),
        ("none", "payload_missing"),
    ] {
        push(&redis, id);
        let claim = fetch(&queue).await;
        let Admission::Refused(refusal) = admit(&queue, &claim).await.unwrap() else { panic!("{id} is not refused") };
        assert_eq!((refusal.id.as_deref(), refusal.failure.code.as_str()), (Some(id), code));
    }
}

#[tokio::test]
async fn a_renewal_reports_the_cancel_flag() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    assert_eq!(queue.renew(claim.id).await.unwrap(), LeaseStatus::Held);
    let _: u64 = redis.query(&["HSET", &format!("{{q}}:job:{}", claim.id.token), "cancel", "1"]);
    assert_eq!(queue.renew(claim.id).await.unwrap(), LeaseStatus::Cancelled);
}

#[tokio::test]
async fn a_release_requeues_the_job_first_and_counts_no_attempt() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    push(&redis, "job-2");
    let claim = run(&queue, "job-1").await;
    assert_eq!(queue.finish(claim.id, Some("job-1"), &ClaimOutcome::Release).await.unwrap(), FinishStatus::Finished);
    let again = fetch(&queue).await;
    assert_eq!(again.entry, b"job-1");
    assert_eq!(queue.start(again.id, "job-1", "sha").await.unwrap(), Start::Run { attempt: 1, crashes: 0 });
}

#[tokio::test]
async fn jobs_are_taken_from_the_configured_end_and_requeued_there() {
    let redis = Redis::start();
    let left = queue_with(&redis, &QueueConfig { end: QueueEnd::Left, ..config() });
    push(&redis, "older");
    push(&redis, "newer");
    let claim = run(&left, "newer").await;
    expire(&redis, &claim);
    reap(&left).await.unwrap();
    assert_eq!(waiting(&redis), ["newer", "older"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_fetchers_take_every_job_exactly_once() {
    const N_JOBS: usize = 200;
    let redis = Redis::start();
    for index in 0..N_JOBS {
        push(&redis, &format!("job-{index}"));
    }
    let mut fetchers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let queue = queue(&redis);
        fetchers.spawn(async move {
            let mut taken = Vec::new();
            while let Fetched::Claimed(claim) = queue.fetch().await.unwrap() {
                taken.push((claim.id.token, claim.entry));
            }
            taken
        });
    }
    let taken: Vec<_> = fetchers.join_all().await.concat();
    let tokens: HashSet<u64> = taken.iter().map(|(token, _)| *token).collect();
    let entries: HashSet<&Vec<u8>> = taken.iter().map(|(_, entry)| entry).collect();
    assert_eq!((taken.len(), tokens.len(), entries.len()), (N_JOBS, N_JOBS, N_JOBS));
}

#[tokio::test]
async fn results_expire_after_the_configured_ttl_and_never_without_one() {
    let redis = Redis::start();
    for (ttl, expected) in [(None, -1..=-1), (Some(Duration::from_secs(100)), 90..=100)] {
        let queue = queue_with(&redis, &QueueConfig { result_ttl: ttl, ..config() });
        let id = format!("job-{}", ttl.is_some());
        push(&redis, &id);
        let claim = run(&queue, &id).await;
        queue.finish(claim.id, Some(&id), &success()).await.unwrap();
        for key in [format!("result:{id}"), format!("{{q}}:done:{id}")] {
            let left: i64 = redis.query(&["TTL", &key]);
            assert!(expected.contains(&left), "{key} has {left} s left");
        }
    }
}

#[tokio::test]
async fn a_wait_returns_when_an_entry_exists_and_removes_nothing() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let waiting_client = client(&redis);
    push(&redis, "first");
    push(&redis, "second");
    let before = std::time::Instant::now();
    queue.wait(&waiting_client, Duration::from_secs(10)).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(waiting(&redis), ["second", "first"]);
}
