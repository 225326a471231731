//! Claims after Redis is killed and restarted from an older snapshot.

use oculus_host::worker::claim::ClaimId;

use super::*;

/// A token that the clock of Redis does not reach during a test. If the fence has this value, new
/// tokens depend only on the fence, as if the clock had been set back.
const AHEAD_OF_THE_CLOCK: u64 = 4_000_000_000_000_000;

/// Returns the queues of two worker processes with equal worker ids.
fn two_workers(redis: &Redis) -> [Queue; 2] {
    [queue(redis), queue(redis)]
}

/// Sets the fence to [`AHEAD_OF_THE_CLOCK`], then saves a snapshot without any claim.
fn save_with_the_fence_ahead_of_the_clock(redis: &Redis) {
    let () = redis.query(&["SET", "{q}:fence", &AHEAD_OF_THE_CLOCK.to_string()]);
    redis.save();
}

/// Kills Redis, restarts it from the snapshot, and lets the workers reconnect: the first command of
/// each worker fails.
async fn restore_snapshot(redis: &mut Redis, workers: &[Queue]) {
    redis.crash_and_recover();
    for worker in workers {
        while worker.now().await.is_err() {}
    }
}

fn every_outcome() -> [ClaimOutcome; 5] {
    [success(), failure(), ClaimOutcome::Release, crash(), dead(ErrorCode::PayloadMissing)]
}

async fn assert_lost(queue: &Queue, claim: ClaimId, id: &str) {
    queue.name_claim(claim, id).await.unwrap();
    assert_eq!(queue.start(claim, id, "sha").await.unwrap(), Start::Lost);
    assert_eq!(queue.renew(claim).await.unwrap(), LeaseStatus::Lost);
    for outcome in every_outcome() {
        assert_eq!(queue.finish(claim, Some(id), &outcome).await.unwrap(), FinishStatus::Fenced);
    }
}

/// Returns the parts of a claim in Redis: its lease and its hash.
fn stored_claim(redis: &Redis, claim: &Claim) -> (Option<f64>, HashMap<String, String>) {
    let token = claim.id.token.to_string();
    let lease = redis.query(&["ZSCORE", "{q}:leases", &token]);
    (lease, redis.query(&["HGETALL", &format!("{{q}}:job:{token}")]))
}

#[tokio::test]
async fn a_claim_after_an_older_snapshot_is_restored_has_a_larger_token() {
    let mut redis = Redis::start_with_snapshots();
    let workers = two_workers(&redis);
    let [first, second] = &workers;
    push(&redis, "a-0");
    let claim = run(first, "a-0").await;
    assert_eq!(first.finish(claim.id, Some("a-0"), &success()).await.unwrap(), FinishStatus::Finished);
    redis.save();
    push(&redis, "a");
    let forgotten = run(first, "a").await;

    restore_snapshot(&mut redis, &workers).await;
    push(&redis, "b");
    let claim = run(second, "b").await;
    assert!(claim.id.token > forgotten.id.token, "{claim:?} after {forgotten:?}");
    assert_lost(first, forgotten.id, "a").await;
    assert_eq!(second.renew(claim.id).await.unwrap(), LeaseStatus::Held);
    assert_eq!(second.finish(claim.id, Some("b"), &success()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(redis.json_at("result:b"), json!({ "status": "success" }));
    assert_eq!(redis.query::<Option<String>>(&["GET", "result:a"]), None);
}

#[tokio::test]
async fn a_forgotten_claim_cannot_change_the_claim_that_received_its_token() {
    let mut redis = Redis::start_with_snapshots();
    let workers = two_workers(&redis);
    let [first, second] = &workers;
    save_with_the_fence_ahead_of_the_clock(&redis);
    push(&redis, "a");
    let forgotten = run(first, "a").await;

    restore_snapshot(&mut redis, &workers).await;
    push(&redis, "b");
    let claim = run(second, "b").await;
    assert_eq!(claim.id.token, forgotten.id.token, "the token repeats");
    let before = stored_claim(&redis, &claim);
    assert_lost(first, forgotten.id, "a").await;
    assert_eq!(stored_claim(&redis, &claim), before);
    assert_eq!(redis.query::<String>(&["GET", "{q}:running:b"]), claim.id.token.to_string());
    assert_eq!((waiting(&redis), redis.query::<u64>(&["LLEN", "{q}:dead"])), (vec![], 0));

    let _: u64 = redis.query(&["HSET", &format!("{{q}}:job:{}", claim.id.token), "cancel", "1"]);
    assert_eq!(first.renew(forgotten.id).await.unwrap(), LeaseStatus::Lost, "the cancel flag is for the other claim");
    assert_eq!(second.renew(claim.id).await.unwrap(), LeaseStatus::Cancelled);
    assert_eq!(second.finish(claim.id, Some("b"), &success()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(redis.json_at("result:b"), json!({ "status": "success" }));
}

#[tokio::test]
async fn one_process_never_receives_a_token_twice() {
    let mut redis = Redis::start_with_snapshots();
    let queue = queue(&redis);
    save_with_the_fence_ahead_of_the_clock(&redis);
    push(&redis, "a");
    let forgotten = run(&queue, "a").await;

    restore_snapshot(&mut redis, std::slice::from_ref(&queue)).await;
    push(&redis, "b");
    let claim = run(&queue, "b").await;
    assert_eq!(claim.id.token, forgotten.id.token + 1);
    assert_lost(&queue, forgotten.id, "a").await;
    assert_eq!(queue.renew(claim.id).await.unwrap(), LeaseStatus::Held);
}

#[tokio::test]
async fn tokens_grow_when_the_clock_of_redis_is_set_back() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let () = redis.query(&["SET", "{q}:fence", &AHEAD_OF_THE_CLOCK.to_string()]);
    for n in 1..=3 {
        push(&redis, &format!("job-{n}"));
        assert_eq!(fetch(&queue).await.id.token, AHEAD_OF_THE_CLOCK + n);
    }
}

#[tokio::test]
async fn a_cancel_flag_for_a_forgotten_claim_does_not_cancel_the_claim_that_receives_its_token() {
    let mut redis = Redis::start_with_snapshots();
    let workers = two_workers(&redis);
    let [first, second] = &workers;
    save_with_the_fence_ahead_of_the_clock(&redis);
    push(&redis, "a");
    let forgotten = run(first, "a").await;

    restore_snapshot(&mut redis, &workers).await;
    let _: u64 = redis.query(&["HSET", &format!("{{q}}:job:{}", forgotten.id.token), "cancel", "1"]);
    push(&redis, "b");
    let claim = run(second, "b").await;
    assert_eq!(claim.id.token, forgotten.id.token);
    assert_eq!(second.renew(claim.id).await.unwrap(), LeaseStatus::Held);
}

#[tokio::test]
async fn a_vanished_worker_counts_once_even_if_its_token_belonged_to_an_earlier_claim() {
    let mut redis = Redis::start_with_snapshots();
    let workers = two_workers(&redis);
    let [first, second] = &workers;
    save_with_the_fence_ahead_of_the_clock(&redis);
    push(&redis, "a");
    let forgotten = run(first, "a").await;

    restore_snapshot(&mut redis, &workers).await;
    push(&redis, "b");
    let claim = run(second, "b").await;
    expire(&redis, &claim);
    assert_eq!(first.renew(forgotten.id).await.unwrap(), LeaseStatus::Lost, "the expired lease is not extended");
    let reaped = reap(first).await.unwrap();
    assert_eq!((reaped.len(), reaped[0].id.as_deref(), reaped[0].status), (1, Some("b"), FinishStatus::Requeued));
    assert_eq!(
        (waiting(&redis), redis.query::<Option<String>>(&["GET", "{q}:running:b"])),
        (vec!["b".to_owned()], None)
    );
    assert_lost(second, claim.id, "b").await;
}

#[tokio::test]
async fn a_result_is_accepted_from_a_later_process_under_the_boot_id_that_fetched_its_entry() {
    let redis = Redis::start();
    let [first, successor] = two_workers(&redis);
    push(&redis, "job-1");
    let claim = run(&first, "job-1").await;
    assert_eq!(successor.finish(claim.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
}

#[tokio::test]
async fn a_claim_of_a_version_without_boot_ids_is_finished_without_one() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    let without_boot = ClaimId { boot: None, ..claim.id };
    assert_eq!(queue.finish(without_boot, Some("job-1"), &success()).await.unwrap(), FinishStatus::Fenced);
    let _: u64 = redis.query(&["HDEL", &format!("{{q}}:job:{}", claim.id.token), "boot"]);
    assert_eq!(queue.finish(claim.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Fenced);
    assert_eq!(queue.finish(without_boot, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
}
