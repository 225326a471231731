//! Claims that Redis has lost because it reverted to an older state, and that their workers restore.

use oculus_host::worker::claim::{ClaimRecord, PayloadRecord, StartRecord};

use super::*;

/// Returns the record of a claim whose job `id` has started with the payload `{"symbols":["A"]}`.
fn record(claim: &Claim, id: &str) -> ClaimRecord {
    let payload = PayloadRecord { key: format!("job:{id}"), value: br#"{"symbols":["A"]}"#.to_vec() };
    ClaimRecord {
        entry: claim.entry.clone(),
        id: Some(id.to_owned()),
        payload: Some(payload),
        start: Some(StartRecord { attempt: 2, crashes: 1, payload_sha256: "sha".to_owned() }),
        server: claim.server.clone(),
    }
}

/// Starts the job `id` on an empty server, and returns its claim after all keys are gone, as after a
/// restart from an empty snapshot.
async fn forgotten_job(redis: &Redis, queue: &Queue, id: &str) -> Claim {
    let () = redis.query(&["FLUSHALL"]);
    push(redis, id);
    let claim = run(queue, id).await;
    let () = redis.query(&["FLUSHALL"]);
    claim
}

#[tokio::test]
async fn a_restored_claim_has_its_entry_its_payload_and_its_counts_and_accepts_the_result() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let lost = forgotten_job(&redis, &queue, "job-1").await;
    let record = record(&lost, "job-1");
    let restored = queue.adopt(lost.id, &record).await.unwrap().expect("a restored claim");
    assert!(restored.token > lost.id.token);
    assert_eq!(queue.renew(restored).await.unwrap(), LeaseStatus::Held);
    assert_eq!(redis.query::<String>(&["HGET", &format!("{{q}}:job:{}", restored.token), "entry"]), "job-1");
    assert_eq!(redis.query::<String>(&["GET", "job:job-1"]), r#"{"symbols":["A"]}"#);
    let counts: HashMap<String, u32> = redis.query(&["HGETALL", "{q}:count:job-1"]);
    assert_eq!(counts, HashMap::from([("attempts".to_owned(), 2), ("crashes".to_owned(), 1)]));
    assert_eq!(queue.finish(lost.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Fenced);
    assert_eq!(queue.finish(restored, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(redis.json_at("result:job-1"), json!({ "status": "success" }));
}

#[tokio::test]
async fn a_repeated_adoption_extends_the_same_claim_and_one_after_its_result_returns_none() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let lost = forgotten_job(&redis, &queue, "job-1").await;
    let record = record(&lost, "job-1");
    let restored = queue.adopt(lost.id, &record).await.unwrap().unwrap();
    let ends_at = |token: u64| redis.query::<f64>(&["ZSCORE", "{q}:leases", &token.to_string()]);
    let _: u64 = redis.query(&["ZADD", "{q}:leases", "1", &restored.token.to_string()]);
    assert_eq!(queue.adopt(lost.id, &record).await.unwrap(), Some(restored), "the first reply may be lost");
    assert!(ends_at(restored.token) > 1.0);
    assert_eq!(redis.query::<u64>(&["ZCARD", "{q}:leases"]), 1);
    queue.finish(restored, Some("job-1"), &success()).await.unwrap();
    let _: u64 = redis.query(&["DEL", "result:job-1"]);
    assert_eq!(
        queue.adopt(lost.id, &record).await.unwrap(),
        None,
        "a result that the backend has read is not repeated"
    );
}

#[tokio::test]
async fn the_lease_of_a_claim_that_is_not_lost_is_extended() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    let _: u64 = redis.query(&["ZADD", "{q}:leases", "1", &claim.id.token.to_string()]);
    assert_eq!(queue.adopt(claim.id, &record(&claim, "job-1")).await.unwrap(), Some(claim.id));
    assert!(redis.query::<f64>(&["ZSCORE", "{q}:leases", &claim.id.token.to_string()]) > 1.0);
}

#[tokio::test]
async fn a_claim_is_not_restored_while_its_job_waits_in_the_queue_in_any_form() {
    let redis = Redis::start();
    let queue = queue(&redis);
    for entry in [
        "job-1",
        " job-1\n",
        "\"job-1\"",
        "job:job-1",
        "\"job:job-1\"",
        r#"{"job_id":"job-1"}"#,
        r#"{"build_id":"job-1","symbols":["A"]}"#,
        r#"{"job_id":null,"build_id":"job\u002d1"}"#,
        r#"{"job_id":"other","payload_key":"job:job-1"}"#,
    ] {
        let lost = forgotten_job(&redis, &queue, "job-1").await;
        for index in 0..500 {
            push(&redis, &format!("job-1{index}"));
        }
        push(&redis, entry);
        // An escaped id is recognised only if the whole queue is decoded, which is not done for ids
        // of letters, digits and a few marks.
        let expected = entry.contains("\\u");
        let adopted = queue.adopt(lost.id, &record(&lost, "job-1")).await.unwrap();
        assert_eq!(adopted.is_some(), expected, "{entry}");
    }
}

#[tokio::test]
async fn a_claim_is_not_restored_while_another_worker_holds_the_job() {
    let redis = Redis::start();
    let [first, second] = [queue(&redis), queue(&redis)];
    let lost = forgotten_job(&redis, &first, "job-1").await;
    push(&redis, "job-1");
    let other = fetch(&second).await;
    assert_eq!(first.adopt(lost.id, &record(&lost, "job-1")).await.unwrap(), None, "an equal entry is claimed");
    assert!(matches!(second.start(other.id, "job-1", "sha").await.unwrap(), Start::Run { .. }));
    assert_eq!(first.adopt(lost.id, &record(&lost, "job-1")).await.unwrap(), None, "the job is running");
    second.finish(other.id, Some("job-1"), &failure()).await.unwrap();
    assert_eq!(first.adopt(lost.id, &record(&lost, "job-1")).await.unwrap(), None, "the job has failed");
}

#[tokio::test]
async fn a_claim_is_restored_over_the_result_of_an_earlier_run_but_not_over_one_of_unknown_age() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let first = run(&queue, "job-1").await;
    queue.finish(first.id, Some("job-1"), &failure()).await.unwrap();
    let keys = ["result:job-1", "{q}:ended:job-1"];
    let earlier: Vec<String> = keys.map(|key| redis.query(&["GET", key])).to_vec();

    let lost = forgotten_job(&redis, &queue, "job-1").await;
    for (key, value) in keys.iter().zip(&earlier) {
        let () = redis.query(&["SET", key, value]);
    }
    let restored = queue.adopt(lost.id, &record(&lost, "job-1")).await.unwrap();
    assert!(restored.is_some());
    assert_eq!(
        redis.query::<Option<String>>(&["GET", "result:job-1"]),
        None,
        "a backend would take it for the new one"
    );

    let lost = forgotten_job(&redis, &queue, "job-1").await;
    let () = redis.query(&["SET", "result:job-1", &earlier[0]]);
    assert_eq!(queue.adopt(lost.id, &record(&lost, "job-1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_restored_claim_runs_with_its_own_payload_and_leaves_an_older_one_in_redis() {
    let mut redis = Redis::start_with_snapshots();
    let queue = queue(&redis);
    let [old, new] = ["old", "new"].map(|symbol| json!({ "symbols": [symbol] }).to_string());
    let () = redis.query(&["SET", "job:job-1", &old]);
    redis.save();
    let () = redis.query(&["SET", "job:job-1", &new]);
    push(&redis, "job-1");
    let mut claim = fetch(&queue).await;
    let record = ClaimRecord {
        payload: Some(PayloadRecord { key: "job:job-1".to_owned(), value: claim.payload.clone().unwrap() }),
        start: None,
        ..record(&claim, "job-1")
    };
    redis.crash_and_recover();
    while queue.now().await.is_err() {}
    claim.id = queue.adopt(claim.id, &record).await.unwrap().expect("a restored claim");
    let Admission::Run(job) = admit(&queue, &claim).await.unwrap() else { panic!("the job does not run") };
    assert_eq!(job.payload, new);
    // The stored payload may also be newer: a backend stores it before it pushes the entry.
    assert_eq!(redis.query::<String>(&["GET", "job:job-1"]), old);
}

#[tokio::test]
async fn a_worker_that_returns_after_its_job_was_finished_elsewhere_restores_nothing() {
    let redis = Redis::start();
    let [first, second] = [queue(&redis), queue(&redis)];
    push(&redis, "job-1");
    let lost = run(&first, "job-1").await;
    expire(&redis, &lost);
    reap(&second).await.unwrap();
    let later = run(&second, "job-1").await;
    second.finish(later.id, Some("job-1"), &success()).await.unwrap();
    let _: u64 = redis.query(&["DEL", "result:job-1"]);
    assert_eq!(first.adopt(lost.id, &record(&lost, "job-1")).await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_without_an_id_is_restored_until_its_dead_letter_exists() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "[]");
    let lost = fetch(&queue).await;
    let () = redis.query(&["FLUSHALL"]);
    let record = ClaimRecord { entry: lost.entry.clone(), id: None, payload: None, start: None, server: None };
    let restored = queue.adopt(lost.id, &record).await.unwrap().expect("a restored claim");
    queue.finish(restored, None, &dead(ErrorCode::EntryWithoutId)).await.unwrap();
    assert_eq!(queue.adopt(lost.id, &record).await.unwrap(), None);
    assert_eq!(redis.query::<u64>(&["LLEN", "{q}:dead"]), 1);
}

#[tokio::test]
async fn a_claim_whose_start_redis_has_lost_is_started_again_before_its_result_is_accepted() {
    let mut redis = Redis::start_with_snapshots();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = fetch(&queue).await;
    redis.save();
    assert!(matches!(queue.start(claim.id, "job-1", "sha").await.unwrap(), Start::Run { .. }));
    redis.crash_and_recover();
    while queue.now().await.is_err() {}
    let renew = async || queue.renew_through(&client(&redis), claim.id, true).await.unwrap();
    assert_eq!(renew().await, LeaseStatus::Reverted);
    assert_eq!(queue.finish(claim.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Reverted);
    assert_eq!(redis.query::<u64>(&["EXISTS", "result:job-1"]), 0);
    assert!(matches!(queue.start(claim.id, "job-1", "sha").await.unwrap(), Start::Run { .. }));
    assert_eq!(renew().await, LeaseStatus::Held);
    assert_eq!(queue.finish(claim.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
}

#[tokio::test]
async fn a_large_entry_of_blanks_does_not_block_redis_when_the_queue_is_searched() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let lost = forgotten_job(&redis, &queue, "job-1").await;
    push(&redis, &format!("a{}b", " ".repeat(4_000_000)));
    assert!(queue.adopt(lost.id, &record(&lost, "job-1")).await.unwrap().is_some());
}
