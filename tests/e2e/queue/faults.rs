//! Faults of the queue: entries that are not jobs, failed steps, and late replies.

use super::*;

#[tokio::test]
async fn a_dead_letter_keeps_the_exact_bytes_of_its_entry_and_is_json() {
    let redis = Redis::start();
    let queue = queue(&redis);
    for entry in [
        &b"\0 \"quoted\" \\ / \x7f \xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x8e"[..],
        b"\xff\x00\xc3",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ] {
        let _: u64 = redis::cmd("LPUSH").arg(Q).arg(entry).query(&mut redis.connection()).unwrap();
        let claim = fetch(&queue).await;
        assert_eq!(claim.entry, entry);
        assert_eq!(queue.finish(claim.id, None, &dead(ErrorCode::EntryNotJson)).await.unwrap(), FinishStatus::Dead);
        let letter = dead_letter(&redis);
        match std::str::from_utf8(entry) {
            Ok(text) => assert_eq!(letter["entry"], json!(text)),
            Err(_) => {
                let hex: String = entry.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!((&letter["entry_hex"], letter.get("entry")), (&json!(hex), None));
            }
        }
    }
    let results: Vec<String> = redis.query(&["KEYS", "result:*"]);
    assert!(results.is_empty(), "a result needs an id");
}

#[tokio::test]
async fn a_dead_letter_keeps_64_kib_of_a_long_entry_and_its_length_and_digest() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let entry = format!("x{}", "ü".repeat(100_000));
    push(&redis, &entry);
    let claim = fetch(&queue).await;
    queue.finish(claim.id, None, &dead(ErrorCode::EntryWithoutId)).await.unwrap();
    let letter = dead_letter(&redis);
    let kept = letter["entry"].as_str().unwrap();
    assert!(entry.starts_with(kept) && kept.len() == 65_535, "{} bytes, cut between two characters", kept.len());
    assert_eq!((&letter["entry_bytes"], letter["entry_sha1"].as_str().unwrap().len()), (&json!(200_001), 40));
}

#[tokio::test]
async fn a_fetch_that_fails_leaves_the_entry_in_the_list() {
    for foreign in ["{q}:leases", "{q}:fence"] {
        let redis = Redis::start();
        let queue = queue(&redis);
        push(&redis, "job-1");
        let _: u64 = redis.query(&["HSET", foreign, "a", "b"]);
        queue.fetch().await.unwrap_err();
        assert_eq!(waiting(&redis), ["job-1"], "with a hash at {foreign}");
        assert!(redis.query::<Vec<String>>(&["KEYS", "{q}:job:*"]).is_empty());
        let _: u64 = redis.query(&["DEL", foreign]);
        assert_eq!(fetch(&queue).await.entry, b"job-1");
    }
}

#[tokio::test]
async fn a_user_without_rights_loses_no_entry_and_the_missing_rights_are_reported() {
    let redis = Redis::start();
    push(&redis, "job-1");
    let as_user = |name: &str, rules: &[&str]| {
        let () = redis.query(&[&["ACL", "SETUSER", name, "on", ">p", "allchannels"], rules].concat());
        let client = client_at(&format!("{}?user={name}&pass=p", redis.url()));
        Queue::new(Q, &Holder::new("worker").unwrap(), &self::config(), client)
    };
    let keyless = as_user("keyless", &["+@all", "~q", "~job:*", "~result:*", "~oculus:*"]);
    keyless.fetch().await.unwrap_err();
    assert_eq!(waiting(&redis), ["job-1"]);
    let missing = keyless.missing_rights().await.unwrap();
    if redis.info("server", "redis_version").is_some_and(|version| version.starts_with("6.")) {
        assert_eq!(missing, [""; 0], "Redis 6 cannot check rights");
        return;
    }
    assert!(missing.contains(&"ZADD {q}:leases".to_owned()), "{missing:?}");
    assert!(!missing.iter().any(|right| right.ends_with(" q")), "{missing:?}");
    let without_pop = as_user("without_pop", &["+@all", "-rpop", "~*"]);
    without_pop.fetch().await.unwrap_err();
    assert_eq!(without_pop.missing_rights().await.unwrap(), ["RPOP q"]);
    assert_eq!(redis.query::<u64>(&["ZCARD", "{q}:leases"]), 0, "a failed fetch leaves no lease to reap");
    assert_eq!(waiting(&redis), ["job-1"]);
    let enough = as_user("enough", &["+@all", "~q", "~{q}:*", "~job:*", "~result:*", "~oculus:training:progress:*"]);
    assert_eq!(enough.missing_rights().await.unwrap(), [""; 0]);
    assert_eq!(fetch(&enough).await.entry, b"job-1");
}

#[tokio::test]
async fn a_refused_entry_never_changes_the_result_or_counts_of_another_attempt_of_its_id() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let running = run(&queue, "job-1").await;
    let reject = async || {
        push(&redis, "twin");
        let twin = fetch(&queue).await;
        assert_eq!(
            queue.finish(twin.id, Some("job-1"), &dead(ErrorCode::PayloadMissing)).await.unwrap(),
            FinishStatus::Dead
        );
    };
    reject().await;
    assert_eq!(redis.query::<Option<String>>(&["GET", "result:job-1"]), None);
    assert_eq!(redis.query::<u32>(&["HGET", "{q}:count:job-1", "attempts"]), 1);
    assert_eq!(queue.finish(running.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Finished);
    reject().await;
    assert_eq!(redis.json_at("result:job-1"), json!({ "status": "success" }));
    assert_eq!(redis.json_at("oculus:training:progress:job-1")["phase"], "complete");
    assert_eq!(redis.query::<u64>(&["LLEN", "{q}:dead"]), 2, "each refused duplicate has a dead letter");
    let _: u64 = redis.query(&["DEL", "result:job-1"]);
    reject().await;
    assert_eq!(redis.json_at("result:job-1"), json!({ "status": "failed" }));
}

#[tokio::test]
async fn a_reap_that_reaches_redis_late_does_nothing() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    expire(&redis, &claim);
    let late = queue.now().await.unwrap() - 1;
    assert_eq!(queue.reap(late).await.unwrap(), []);
    assert_eq!(queue.renew(claim.id).await.unwrap(), LeaseStatus::Held);
}

#[tokio::test]
async fn an_entry_whose_workers_vanish_before_its_start_fails_under_its_id_and_leaves_no_count() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    for _ in 0..MAX_VANISHED {
        let claim = fetch(&queue).await;
        queue.name_claim(claim.id, "job-1").await.unwrap();
        expire(&redis, &claim);
        reap(&queue).await.unwrap();
    }
    assert_eq!(redis.json_at("result:job-1")["error"]["code"], "worker_vanished");
    push(&redis, "job-2");
    let nameless = fetch(&queue).await;
    expire(&redis, &nameless);
    reap(&queue).await.unwrap();
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "{q}:count:*"]).len(), 1);
    let claim = run(&queue, "job-2").await;
    queue.finish(claim.id, Some("job-2"), &success()).await.unwrap();
    assert!(redis.query::<Vec<String>>(&["KEYS", "{q}:count:*"]).is_empty());
    queue.name_claim(claim.id, "job-2").await.unwrap();
    assert!(redis.query::<Vec<String>>(&["KEYS", "{q}:job:*"]).is_empty(), "a finished claim does not get a name");
}

#[tokio::test]
async fn a_repeated_start_counts_once() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    let repeated = queue.start(claim.id, "job-1", "sha").await.unwrap();
    assert_eq!(repeated, Start::Run { attempt: 1, crashes: 0 });
}

#[tokio::test]
async fn a_payload_without_ids_runs_under_the_id_in_its_entry() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let () = redis.query(&["SET", "job:n1", r#"{"symbols":["A"]}"#]);
    push(&redis, "n1");
    let Admission::Run(job) = admit(&queue, &fetch(&queue).await).await.unwrap() else { panic!("n1 does not run") };
    assert_eq!((job.id.as_str(), job.build_id.as_str()), ("n1", "n1"));
}

#[tokio::test]
async fn tokens_keep_growing_after_redis_loses_its_data() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let before = run(&queue, "job-1").await;
    let () = redis.query(&["FLUSHALL"]);
    push(&redis, "job-2");
    let after = run(&queue, "job-2").await;
    assert!(after.id.token > before.id.token);
    assert_eq!(queue.finish(before.id, Some("job-1"), &success()).await.unwrap(), FinishStatus::Fenced);
}

#[tokio::test]
async fn a_fence_that_another_program_has_overwritten_breaks_no_claim() {
    let redis = Redis::start();
    let queue = queue(&redis);
    // From 2^53, adding 1 to a Lua number does not change the number. Without its limit of 2^52,
    // the script would compute the same token for every claim, and would search for a free token
    // forever. The last two values are next to that limit.
    for fence in
        ["9007199254740993", "9007199254740991", "1e300", "-5", "rubbish", "", "4503599627370496", "4503599627370495"]
    {
        let () = redis.query(&["SET", "{q}:fence", fence]);
        for id in ["first", "second"] {
            push(&redis, id);
        }
        let [first, second] = [fetch(&queue).await, fetch(&queue).await];
        assert!(first.id.token < second.id.token && second.id.token < 1 << 53, "{fence}: {first:?} {second:?}");
        for (claim, id) in [(first, "first"), (second, "second")] {
            assert!(matches!(queue.start(claim.id, id, "sha").await.unwrap(), Start::Run { .. }), "{fence}");
            assert_eq!(queue.finish(claim.id, Some(id), &failure()).await.unwrap(), FinishStatus::Finished, "{fence}");
        }
    }
}

#[tokio::test]
async fn a_live_claim_keeps_its_token_when_the_fence_is_lost_and_the_clock_reaches_it() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "live");
    let live = fetch(&queue).await;
    // A second process has no token in memory, so Redis alone determines the next token. The fence
    // is set just below the live token.
    let () = redis.query(&["SET", "{q}:fence", &(live.id.token + 999_999_999).to_string()]);
    let ahead = live.id.token + 1_000_000_000;
    let _: u64 = redis.query(&["HSET", &format!("{{q}}:job:{ahead}"), "entry", "other", "worker", "w", "boot", "b"]);
    push(&redis, "next");
    let next = fetch(&self::queue(&redis)).await;
    assert_eq!((next.id.token, next.entry.as_slice()), (ahead + 1, &b"next"[..]));
    let kept: String = redis.query(&["HGET", &format!("{{q}}:job:{ahead}"), "entry"]);
    assert_eq!(kept, "other");
}

#[tokio::test]
async fn a_release_of_a_claim_whose_start_is_lost_counts_no_attempt() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    // Redis is in the state of a snapshot between FETCH and START: it contains the claim, but not
    // the start of the attempt.
    let claim = fetch(&queue).await;
    assert_eq!(queue.finish(claim.id, Some("job-1"), &ClaimOutcome::Release).await.unwrap(), FinishStatus::Finished);
    let again = fetch(&queue).await;
    assert_eq!(queue.start(again.id, "job-1", "sha").await.unwrap(), Start::Run { attempt: 1, crashes: 0 });
}

#[tokio::test]
async fn a_finish_that_fails_writes_no_dead_letter() {
    for foreign in ["{q}:running:job-1", "{q}:count:job-1"] {
        let redis = Redis::start();
        let queue = queue(&redis);
        push(&redis, "job-1");
        let claim = fetch(&queue).await;
        let _: u64 = redis.query(&["LPUSH", foreign, "x"]);
        for _ in 0..2 {
            queue.finish(claim.id, Some("job-1"), &dead(ErrorCode::PayloadMissing)).await.unwrap_err();
        }
        assert_eq!(redis.query::<u64>(&["LLEN", "{q}:dead"]), 0, "with a list at {foreign}");
        let _: u64 = redis.query(&["DEL", foreign]);
        let finished = queue.finish(claim.id, Some("job-1"), &dead(ErrorCode::PayloadMissing)).await.unwrap();
        assert_eq!(finished, FinishStatus::Dead);
    }
}
