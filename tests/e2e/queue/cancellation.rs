//! Cancellations on request of an operator.

use oculus_host::worker::operations::OperationError;
use oculus_host::worker::operations::cancel::{CancelOutcome, Cancellation, CancelledState};

use super::*;

/// Cancels a job that is in the queue.
async fn cancel(redis: &Redis, id: &str) -> Cancellation {
    operations(redis).cancel(id).await.unwrap().remove(0)
}

fn cancel_key(redis: &Redis, id: &str) -> bool {
    redis.query(&["EXISTS", &format!("{{q}}:cancel:{id}")])
}

#[tokio::test]
async fn a_waiting_job_ends_at_once_and_the_others_keep_their_order() {
    let redis = Redis::start();
    let payload = json!({ "build_id": "b-1", "user_id": "u", "symbols": ["A"], "timeframe": "1d", "design": {} });
    let () = redis.query(&["SET", "job:job-1", &payload.to_string()]);
    ["first", "job-1", "second", "\"job-1\"", "third"].iter().for_each(|entry| push(&redis, entry));
    let cancelled = cancel(&redis, "job-1").await;
    assert_eq!((cancelled.state, cancelled.outcome), (CancelledState::Waiting, CancelOutcome::Cancelled));
    assert_eq!((cancelled.n_removed, cancelled.workers.len()), (2, 0));
    assert_eq!(waiting(&redis), ["third", "second", "first"]);
    let result = redis.json_at("result:job-1");
    assert_eq!((&result["status"], &result["error"]["code"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(result["build_id"], "b-1", "the payload is read");
    assert!(result["design_config"].as_object().unwrap().len() > 7, "{}", result["design_config"]);
    let event = redis.json_at("oculus:training:progress:job-1");
    assert_eq!((&event["job_id"], &event["status"]), (&json!("job-1"), &json!("cancelled")));
    assert!(!cancel_key(&redis, "job-1"), "a later run is not cancelled");
}

#[tokio::test]
async fn a_waiting_job_is_found_in_every_form_of_its_entry() {
    let redis = Redis::start();
    for entry in [
        " job-1\n",
        "job:job-1",
        r#"{"job_id":"job-1"}"#,
        r#"{"build_id":"job-1","symbols":["A"]}"#,
        r#"{"build_id":"job-1","payload_key":"elsewhere"}"#,
    ] {
        let () = redis.query(&["FLUSHALL"]);
        push(&redis, entry);
        assert_eq!(cancel(&redis, "job-1").await.outcome, CancelOutcome::Cancelled, "{entry}");
        assert_eq!(redis.json_at("result:job-1")["status"], "cancelled", "{entry}");
        assert_eq!(waiting(&redis), [""; 0]);
    }
}

#[tokio::test]
async fn the_result_is_stored_under_the_id_in_the_payload() {
    let redis = Redis::start();
    let () = redis.query(&["SET", "job:entry", r#"{"job_id":"inner","symbols":["A"]}"#]);
    push(&redis, "entry");
    assert_eq!(cancel(&redis, "entry").await.id, "inner");
    assert_eq!(redis.json_at("result:inner")["status"], "cancelled");
    assert_eq!(redis.query::<u64>(&["EXISTS", "result:entry"]), 0);
}

#[tokio::test]
async fn a_cancelled_waiting_job_is_not_restored_by_a_worker_that_held_it_before() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let lost = run(&queue, "job-1").await;
    let record = oculus_host::worker::claim::ClaimRecord {
        entry: lost.entry.clone(),
        id: Some("job-1".into()),
        payload: None,
        start: None,
        server: None,
    };
    let () = redis.query(&["FLUSHALL"]);
    push(&redis, "job-1");
    cancel(&redis, "job-1").await;
    let _: u64 = redis.query(&["DEL", "result:job-1"]);
    assert_eq!(queue.adopt(lost.id, &record).await.unwrap(), None);
}

#[tokio::test]
async fn a_running_job_is_cancelled_together_with_its_newer_payload_and_its_entries() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let running = run(&queue, "job-1").await;
    push(&redis, "newer");
    let newer = fetch(&queue).await;
    assert!(matches!(queue.start(newer.id, "job-1", "new").await.unwrap(), Start::Parked { .. }));
    push(&redis, "job-1");
    let mut cancelled = cancel(&redis, "job-1").await;
    assert_eq!((cancelled.state, cancelled.outcome), (CancelledState::Running, CancelOutcome::Requested));
    assert_eq!((cancelled.workers.as_slice(), cancelled.n_removed), (&["worker".to_owned()][..], 1));
    assert_eq!(queue.renew(running.id).await.unwrap(), LeaseStatus::Cancelled);
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(waiting(&redis), [""; 0]);
    operations(&redis).wait_for_cancellation(&mut cancelled, Duration::from_secs(5)).await.unwrap();
    assert_eq!(cancelled.outcome, CancelOutcome::Failed, "the outcome is that of the result");
}

#[tokio::test]
async fn a_payload_that_is_pushed_after_the_cancellation_runs() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let running = run(&queue, "job-1").await;
    cancel(&redis, "job-1").await;
    push(&redis, "newer");
    let newer = fetch(&queue).await;
    assert!(matches!(queue.start(newer.id, "job-1", "new").await.unwrap(), Start::Parked { .. }));
    assert_eq!(queue.renew(running.id).await.unwrap(), LeaseStatus::Cancelled);
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Superseded);
    assert_eq!(waiting(&redis), ["newer"]);
}

#[tokio::test]
async fn a_claimed_job_is_cancelled_at_its_start_even_if_its_worker_vanishes_before() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = fetch(&queue).await;
    let cancelled = cancel(&redis, "job-1").await;
    assert_eq!((cancelled.state, cancelled.outcome), (CancelledState::Claimed, CancelOutcome::Requested));
    let ttl: u64 = redis.query(&["TTL", "{q}:cancel:job-1"]);
    assert!((86_000..=86_400).contains(&ttl), "{ttl}");
    expire(&redis, &claim);
    reap(&queue).await.unwrap();
    let again = fetch(&queue).await;
    assert!(matches!(queue.start(again.id, "job-1", "sha").await.unwrap(), Start::Cancelled { .. }));
}

#[tokio::test]
async fn a_claimed_duplicate_of_a_cancelled_running_job_is_dropped() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let running = run(&queue, "job-1").await;
    push(&redis, r#"{"job_id":"job-1"}"#);
    let duplicate = fetch(&queue).await;
    assert_eq!(cancel(&redis, "job-1").await.workers.len(), 2);
    let start = queue.start(duplicate.id, "job-1", "new").await.unwrap();
    assert_eq!(start, Start::Running { token: running.id.token });
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(waiting(&redis), [""; 0]);
}

#[tokio::test]
async fn a_claim_that_an_unrelated_entry_hides_from_the_cancellation_does_not_start_the_job_again() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let running = run(&queue, "job-1").await;
    push(&redis, "key-of-a-payload");
    let hidden = fetch(&queue).await;
    assert_eq!(cancel(&redis, "job-1").await.workers.len(), 1);
    assert_eq!(queue.finish(running.id, Some("job-1"), &failure()).await.unwrap(), FinishStatus::Finished);
    let start = queue.start(hidden.id, "job-1", "other payload").await.unwrap();
    assert!(matches!(start, Start::Overtaken { .. }), "{start:?}");
}

#[tokio::test]
async fn a_cancelled_job_that_is_requeued_is_cancelled_at_its_next_start() {
    let redis = Redis::start();
    for outcome in [Some(ClaimOutcome::Release), Some(crash()), None] {
        let () = redis.query(&["FLUSHALL"]);
        let queue = queue(&redis);
        push(&redis, "job-1");
        let claim = run(&queue, "job-1").await;
        cancel(&redis, "job-1").await;
        match &outcome {
            Some(outcome) => _ = queue.finish(claim.id, Some("job-1"), outcome).await.unwrap(),
            None => {
                expire(&redis, &claim);
                reap(&queue).await.unwrap();
            }
        }
        assert_eq!(waiting(&redis), ["job-1"], "{outcome:?}");
        let again = fetch(&queue).await;
        assert!(matches!(queue.start(again.id, "job-1", "sha").await.unwrap(), Start::Cancelled { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_waiting_repetition_of_a_success_is_removed_and_the_result_stays() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let payload = json!({ "build_id": "job-1", "symbols": ["A"] }).to_string();
    push(&redis, &payload);
    let claim = fetch(&queue).await;
    let sha256 = oculus_job::hash::sha256_hex(payload.as_bytes());
    assert!(matches!(queue.start(claim.id, "job-1", &sha256).await.unwrap(), Start::Run { .. }));
    let ClaimOutcome::Result { message, submission, .. } = success() else { unreachable!() };
    let outcome = ClaimOutcome::Result { message, succeeded: Some(sha256), submission };
    queue.finish(claim.id, Some("job-1"), &outcome).await.unwrap();
    push(&redis, &payload);
    assert_eq!(cancel(&redis, "job-1").await.outcome, CancelOutcome::Succeeded);
    assert_eq!((waiting(&redis).len(), redis.json_at("result:job-1")), (0, json!({ "status": "success" })));
}

#[tokio::test]
async fn a_job_that_is_unknown_or_has_ended_changes_nothing() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let keys = || redis.query::<HashSet<String>>(&["KEYS", "*"]);
    let unknown = operations(&redis).cancel("job-1").await.unwrap_err();
    assert!(matches!(unknown, OperationError::UnknownJob { .. }), "{unknown}");
    assert_eq!(unknown.to_string().matches("job-1").count(), 1, "{unknown}");
    assert!(keys().is_empty());
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    queue.finish(claim.id, Some("job-1"), &success()).await.unwrap();
    let before = keys();
    let ended = operations(&redis).cancel("job-1").await.unwrap_err();
    assert!(ended.to_string().contains("`success`"), "{ended}");
    assert_eq!(keys(), before);
}

#[tokio::test]
async fn a_job_is_found_among_a_hundred_thousand_entries() {
    let redis = Redis::start();
    let script = "for i = 1, 100000 do redis.call('LPUSH', KEYS[1], 'build:' .. i) end";
    let () = redis.query(&["EVAL", script, "1", Q]);
    assert_eq!(cancel(&redis, "build:77777").await.n_removed, 1);
    assert_eq!(redis.query::<u64>(&["LLEN", Q]), 99_999);
    let overview = operations(&redis).jobs(3).await.unwrap();
    let ids: Vec<_> = overview.queues[0].waiting.iter().map(|job| job.id.clone().unwrap()).collect();
    assert_eq!(
        (overview.queues[0].n_waiting, ids),
        (99_999, ["build:1", "build:2", "build:3"].map(Into::into).to_vec())
    );
}
