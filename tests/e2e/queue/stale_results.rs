//! A job that starts again has no result of an earlier run, which a backend would take for the
//! outcome of the new run.

use oculus_tests::processes::wait_until_gone;
use oculus_tests::redis_server::progress_channel;
use oculus_tests::{SOON, Worker, jobs};

use super::*;

/// Returns the result and the last event of `job-1`.
fn published(redis: &Redis) -> [Option<String>; 2] {
    ["result:job-1", "oculus:training:progress:job-1"].map(|key| redis.query(&["GET", key]))
}

/// Runs `job-1` with the payload of the hash `sha` up to its outcome.
async fn run_to(redis: &Redis, queue: &Queue, sha: &str, outcome: &ClaimOutcome) {
    push(redis, "job-1");
    let claim = fetch(queue).await;
    assert!(matches!(queue.start(claim.id, "job-1", sha).await.unwrap(), Start::Run { .. }));
    assert_eq!(queue.finish(claim.id, Some("job-1"), outcome).await.unwrap(), FinishStatus::Finished);
}

#[tokio::test]
async fn a_job_that_starts_after_a_failure_or_with_a_new_payload_has_no_earlier_result() {
    for (outcome, sha) in [(failure(), "sha"), (failure(), "new"), (success(), "new")] {
        let redis = Redis::start();
        let queue = queue(&redis);
        run_to(&redis, &queue, "sha", &outcome).await;
        assert!(published(&redis).iter().all(Option::is_some));
        push(&redis, "job-1");
        let claim = fetch(&queue).await;
        assert!(matches!(queue.start(claim.id, "job-1", sha).await.unwrap(), Start::Run { .. }));
        assert_eq!(published(&redis), [None, None], "{outcome:?}, then {sha}");
        assert_eq!(redis.query::<u64>(&["EXISTS", "{q}:done:job-1"]), 0, "no mark of a success without its result");
    }
}

#[tokio::test]
async fn a_repeated_payload_that_succeeded_keeps_its_result() {
    let redis = Redis::start();
    let queue = queue(&redis);
    run_to(&redis, &queue, "sha", &success()).await;
    let [result, _] = published(&redis);
    push(&redis, "job-1");
    let claim = fetch(&queue).await;
    assert_eq!(queue.start(claim.id, "job-1", "sha").await.unwrap(), Start::AlreadySucceeded);
    let [kept, event] = published(&redis);
    assert!(kept == result && event.is_some(), "{kept:?} {event:?}");
}

#[tokio::test]
async fn the_result_of_a_failure_is_removed_before_the_payload_is_read_and_that_of_a_success_is_not() {
    for (outcome, is_kept) in [(failure(), false), (success(), true)] {
        let redis = Redis::start();
        let queue = queue(&redis);
        run_to(&redis, &queue, "sha", &outcome).await;
        push(&redis, "job-1");
        let claim = fetch(&queue).await;
        queue.name_claim(claim.id, "job-1").await.unwrap();
        // The worker is killed before the start, and the reaper requeues the entry.
        expire(&redis, &claim);
        reap(&queue).await.unwrap();
        assert_eq!(published(&redis).map(|value| value.is_some()), [is_kept; 2], "after {outcome:?}");
        assert_eq!(waiting(&redis), ["job-1"]);
    }
}

#[tokio::test]
async fn a_duplicate_or_a_lost_claim_removes_no_result() {
    let redis = Redis::start();
    let queue = queue(&redis);
    for entry in ["job-1", "job-1"] {
        push(&redis, entry);
    }
    let running = run(&queue, "job-1").await;
    let () = redis.query(&["SET", "result:job-1", "kept"]);
    let twin = fetch(&queue).await;
    queue.name_claim(twin.id, "job-1").await.unwrap();
    assert!(matches!(queue.start(twin.id, "job-1", "sha").await.unwrap(), Start::Running { .. }));
    expire(&redis, &running);
    reap(&queue).await.unwrap();
    queue.name_claim(running.id, "job-1").await.unwrap();
    assert_eq!(queue.start(running.id, "job-1", "sha").await.unwrap(), Start::Lost);
    assert_eq!(redis.query::<String>(&["GET", "result:job-1"]), "kept");
}

#[test]
fn a_job_whose_worker_is_killed_has_no_earlier_result_until_another_worker_finishes_it() {
    let redis = Redis::start();
    let mut first = Worker::start(&redis, &[]);
    let mut refused = jobs::job("again");
    refused["design"]["years"] = json!(0);
    redis.submit(&refused);
    assert_eq!(redis.result_of("again")["error"]["code"], "invalid_job");

    // The endless job has the same id and another payload.
    redis.submit(&jobs::endless_job("again"));
    let children = first.wait_for_children();
    redis.wait_for_progress("again", "first event of the second run", |event| event["status"] == "in_progress");
    let result = || redis.query::<Option<String>>(&["GET", "result:again"]);
    assert_eq!(result(), None);
    first.kill();
    wait_until_gone(&children, SOON);
    assert_eq!(result(), None);

    let second = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "1")]);
    second.wait_for_event("second attempt", |event| event.is_start_of("again"));
    assert_eq!(redis.result_of("again")["error"]["code"], "timeout", "the result of the second payload");
    assert_eq!(redis.json_at(&progress_channel("again"))["status"], "failed");
}
