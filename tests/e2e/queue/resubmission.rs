//! Jobs that are pushed again with another payload while they run.

use super::*;

/// Starts `job-1` with the payload of the hash `old`, pushes `newer` and starts it with that of `new`.
/// Returns the claim of the running attempt.
async fn superseded_job(redis: &Redis, queue: &Queue) -> Claim {
    push(redis, "job-1");
    let running = fetch(queue).await;
    assert!(matches!(queue.start(running.id, "job-1", "old").await.unwrap(), Start::Run { .. }));
    push_again(redis, queue, "newer", "new", Start::Parked { token: running.id.token }).await;
    running
}

/// Pushes and fetches an entry of `job-1`, and starts it with a payload. Asserts the reply.
async fn push_again(redis: &Redis, queue: &Queue, entry: &str, sha: &str, expected: Start) {
    push(redis, entry);
    let claim = fetch(queue).await;
    assert_eq!(queue.start(claim.id, "job-1", sha).await.unwrap(), expected);
}

#[tokio::test]
async fn every_outcome_of_the_older_payload_is_replaced_by_a_run_of_the_newer_one() {
    for outcome in [success(), failure(), crash(), ClaimOutcome::Release] {
        let redis = Redis::start();
        let queue = queue_with(&redis, &QueueConfig { max_crashes: 1, ..config() });
        let running = superseded_job(&redis, &queue).await;
        assert_eq!(queue.finish(running.id, Some("job-1"), &outcome).await.unwrap(), FinishStatus::Superseded);
        assert_eq!(waiting(&redis), ["newer"], "{outcome:?}");
        assert_eq!(redis.query::<u64>(&["EXISTS", "result:job-1"]), 0, "a backend would take it for the newer one");
        assert_eq!(redis.query::<u64>(&["LLEN", "{q}:dead"]), 0, "{outcome:?}");
        let newer = fetch(&queue).await;
        let start = queue.start(newer.id, "job-1", "new").await.unwrap();
        assert_eq!(start, Start::Run { attempt: 1, crashes: 0 }, "the newer payload starts with new counts");
        assert_eq!(queue.finish(newer.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
        assert_eq!(redis.json_at("result:job-1"), json!({ "status": "success" }));
    }
}

#[tokio::test]
async fn a_vanished_worker_leaves_the_newer_payload_in_the_queue() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let running = superseded_job(&redis, &queue).await;
    expire(&redis, &running);
    assert_eq!(reap(&queue).await.unwrap()[0].status, FinishStatus::Requeued);
    assert_eq!(waiting(&redis), ["newer"]);
}

#[tokio::test]
async fn of_several_newer_payloads_the_last_one_runs() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let running = superseded_job(&redis, &queue).await;
    push_again(&redis, &queue, "newest", "newest", Start::Parked { token: running.id.token }).await;
    queue.finish(running.id, Some("job-1"), &success()).await.unwrap();
    assert_eq!(waiting(&redis), ["newest"]);
}

#[tokio::test]
async fn the_running_payload_pushed_once_more_withdraws_the_newer_one() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let running = superseded_job(&redis, &queue).await;
    push_again(&redis, &queue, "job-1", "old", Start::Running { token: running.id.token }).await;
    assert_eq!(queue.finish(running.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(waiting(&redis), [""; 0]);
    assert_eq!(redis.json_at("result:job-1"), json!({ "status": "success" }));
}

#[tokio::test]
async fn an_older_payload_that_starts_late_never_replaces_a_newer_one() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "older");
    let older = fetch(&queue).await;
    push(&redis, "newer");
    let newer = fetch(&queue).await;
    assert!(matches!(queue.start(newer.id, "job-1", "new").await.unwrap(), Start::Run { .. }));
    let late = queue.start(older.id, "job-1", "old").await.unwrap();
    assert_eq!(late, Start::Running { token: newer.id.token });
    assert_eq!(queue.finish(newer.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
}

#[tokio::test]
async fn a_claim_that_starts_late_never_replaces_the_payload_of_a_later_claim() {
    // The later claim repeats the running payload, waits with a newer one, or has ended.
    for (running, later) in [("old", "old"), ("old", "newest"), ("old", "")] {
        let redis = Redis::start();
        let queue = queue(&redis);
        let mut claims = Vec::new();
        for entry in ["first", "late", "later"] {
            push(&redis, entry);
            claims.push(fetch(&queue).await);
        }
        let [first, late, last] = <[Claim; 3]>::try_from(claims).unwrap();
        assert!(matches!(queue.start(first.id, "job-1", running).await.unwrap(), Start::Run { .. }));
        if later.is_empty() {
            queue.finish(first.id, Some("job-1"), &success()).await.unwrap();
            assert!(matches!(queue.start(last.id, "job-1", "newest").await.unwrap(), Start::Run { .. }));
            queue.finish(last.id, Some("job-1"), &failure()).await.unwrap();
            let reply = queue.start(late.id, "job-1", "between").await.unwrap();
            assert_eq!(reply, Start::Overtaken { token: last.id.token });
        } else {
            queue.start(last.id, "job-1", later).await.unwrap();
            let reply = queue.start(late.id, "job-1", "between").await.unwrap();
            assert_eq!(reply, Start::Running { token: first.id.token });
            let expected = if later == running { vec![] } else { vec!["later".to_owned()] };
            queue.finish(first.id, Some("job-1"), &success()).await.unwrap();
            assert_eq!(waiting(&redis), expected);
        }
    }
}

#[tokio::test]
async fn a_cancellation_also_ends_the_newer_payload_but_not_one_that_is_pushed_afterwards() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let running = superseded_job(&redis, &queue).await;
    let () = redis.query(&["SET", "{q}:cancel:job-1", "1"]);
    assert_eq!(queue.renew(running.id).await.unwrap(), LeaseStatus::Cancelled);
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(waiting(&redis), [""; 0]);

    let running = superseded_job(&redis, &queue).await;
    let () = redis.query(&["SET", "{q}:cancel:job-1", "1"]);
    assert_eq!(queue.renew(running.id).await.unwrap(), LeaseStatus::Cancelled);
    push_again(&redis, &queue, "afterwards", "newest", Start::Parked { token: running.id.token }).await;
    assert_eq!(queue.renew(running.id).await.unwrap(), LeaseStatus::Cancelled);
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Superseded);
    assert_eq!(waiting(&redis), ["afterwards"]);
}

#[tokio::test]
async fn a_cancel_key_cancels_a_job_that_waits_or_runs_and_is_used_once() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let () = redis.query(&["SET", "{q}:cancel:job-1", "1"]);
    push(&redis, "job-1");
    let claim = fetch(&queue).await;
    let start = queue.start(claim.id, "job-1", "sha").await.unwrap();
    assert_eq!(start, Start::Cancelled { attempt: 1, crashes: 0 });
    assert_eq!(queue.start(claim.id, "job-1", "sha").await.unwrap(), start, "the first reply may be lost");
    queue.finish(claim.id, Some("job-1"), &failure()).await.unwrap();

    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    let read = async || queue.cancelled_through(&client(&redis), &[claim.id]).await.unwrap();
    assert_eq!(read().await, []);
    let () = redis.query(&["SET", "{q}:cancel:job-1", "1"]);
    assert_eq!(read().await, [claim.id]);
    assert_eq!(read().await, [claim.id], "until the job ends");
    queue.finish(claim.id, Some("job-1"), &failure()).await.unwrap();
    assert_eq!(read().await, []);
    assert_eq!(redis.query::<u64>(&["EXISTS", "{q}:cancel:job-1"]), 0);
}

#[tokio::test]
async fn a_paused_queue_hands_out_no_entry_until_it_is_resumed() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let () = redis.query(&["SET", "{q}:paused", "{}"]);
    assert_eq!(queue.fetch().await.unwrap(), Fetched::Paused);
    assert_eq!(waiting(&redis), ["job-1"]);
    let _: u64 = redis.query(&["DEL", "{q}:paused"]);
    assert_eq!(fetch(&queue).await.entry, b"job-1");
}
