//! The ledger of submissions in Redis: what `finish.lua` adds to it, and what a worker reads from
//! it.

use oculus_host::worker::claim_outcome::LedgerEntry;
use oculus_job::submission::MAX_SUBMISSIONS;
use oculus_tests::results::{warning, warnings};
use oculus_tests::{Worker, jobs};

use super::*;

const LEDGER: &str = "oculus:training:submissions:market";

/// Returns the outcome of a job that succeeded, with an entry for the ledger.
fn tested(field: &str, at: &str) -> ClaimOutcome {
    let ClaimOutcome::Result { message, succeeded, .. } = success() else { unreachable!() };
    let value = json!({ "at": at }).to_string();
    let submission = Some(LedgerEntry { key: LEDGER.into(), field: field.into(), value });
    ClaimOutcome::Result { message, succeeded, submission }
}

/// Runs a job that ends with an outcome.
async fn run_to(redis: &Redis, queue: &Queue, id: &str, outcome: &ClaimOutcome) {
    push(redis, id);
    let claim = run(queue, id).await;
    assert_eq!(queue.finish(claim.id, Some(id), outcome).await.unwrap(), FinishStatus::Finished);
    // A repeated submission after a lost response changes nothing.
    assert_eq!(queue.finish(claim.id, Some(id), outcome).await.unwrap(), FinishStatus::Fenced);
    assert!(redis.query::<bool>(&["EXISTS", &format!("result:{id}")]), "the result of {id} is stored");
}

#[tokio::test]
async fn a_submission_is_stored_with_its_result_once_and_expires_after_a_year() {
    let redis = Redis::start();
    let queue = queue(&redis);
    run_to(&redis, &queue, "job-1", &tested("d1", "2026-01-01T00:00:00")).await;
    run_to(&redis, &queue, "job-2", &tested("d1", "2026-01-02T00:00:00")).await;
    run_to(&redis, &queue, "job-3", &tested("d2", "2026-01-03T00:00:00")).await;
    run_to(&redis, &queue, "job-4", &failure()).await;
    let entries: HashMap<String, String> = redis.query(&["HGETALL", LEDGER]);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries["d1"], r#"{"at":"2026-01-01T00:00:00"}"#, "the first time stays");
    let ttl: u64 = redis.query(&["TTL", LEDGER]);
    assert!((31_535_000..=31_536_000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_full_ledger_loses_what_is_no_submission_and_then_its_oldest_entry() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let mut fill = vec!["HSET".to_owned(), LEDGER.to_owned(), "foreign".to_owned(), "not json".to_owned()];
    for idx in 1..MAX_SUBMISSIONS {
        fill.push(format!("d{idx}"));
        fill.push(json!({ "at": format!("2026-01-01T{idx:04}") }).to_string());
    }
    let _: u64 = redis.query(&fill.iter().map(String::as_str).collect::<Vec<_>>());
    let has = |field: &str| redis.query::<bool>(&["HEXISTS", LEDGER, field]);
    run_to(&redis, &queue, "job-1", &tested("new-1", "2026-02-01")).await;
    assert_eq!((has("foreign"), has("d1"), has("new-1")), (false, true, true));
    run_to(&redis, &queue, "job-2", &tested("new-2", "2026-02-02")).await;
    assert_eq!((has("d1"), has("d2"), has("new-2")), (false, true, true));
    assert_eq!(redis.query::<usize>(&["HLEN", LEDGER]), MAX_SUBMISSIONS);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_never_prevents_a_result() {
    let redis = Redis::start();
    let _: u64 = redis.query(&["LPUSH", LEDGER, "a list"]);
    run_to(&redis, &queue(&redis), "job-1", &tested("d1", "2026-01-01")).await;
    let rights = ["+@all", "~q", "~{q}:*", "~job:*", "~result:*", "~oculus:training:progress:*", "allchannels"];
    let () = redis.query(&[&["ACL", "SETUSER", "older", "on", ">p"], &rights[..]].concat());
    let client = client_at(&format!("{}?user=older&pass=p", redis.url()));
    let without_right = Queue::new(Q, &Holder::new("worker").unwrap(), &config(), client);
    run_to(&redis, &without_right, "job-2", &tested("d1", "2026-01-01")).await;
}

/// Returns the n-th variant of a design.
fn variant(n: u64) -> Value {
    let mut job = jobs::with_search_family("LightGBM", &format!("variant-{n}"));
    job["design"]["ml_training_config"]["seed"] = json!(n);
    job
}

#[test]
fn ten_variants_of_a_design_are_counted_and_only_the_tenth_has_a_warning() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1")]);
    let mut aucs = Vec::new();
    let mut first = Value::Null;
    for n in 1..=10_u64 {
        redis.submit(&variant(n));
        let result = redis.result_of(&format!("variant-{n}"));
        let submissions = &result["submissions"];
        assert_eq!(submissions["n"], n, "{submissions}");
        if n == 1 {
            first = result["run"]["started_at"].clone();
        }
        assert_eq!(submissions["first"], first);
        let auc = result["model_metrics"]["auc"].as_f64().unwrap();
        let rank = 1 + aucs.iter().filter(|other| **other > auc).count();
        assert_eq!(submissions["rank"], rank, "of {auc} after {aucs:?}");
        aucs.push(auc);
        assert_eq!(warnings(&result, "test_reused").len(), usize::from(n == 10));
    }
    // Neither a repeated design nor a refused one is counted.
    let mut again = variant(3);
    again["build_id"] = json!("again");
    let mut refused = variant(11);
    refused["design"]["ml_training_config"]["config_search_model"] = json!("NoSuchModel");
    redis.submit(&refused);
    redis.submit(&again);
    assert_eq!(redis.result_of("variant-11")["status"], "failed");
    let result = redis.result_of("again");
    assert_eq!((&result["submissions"]["n"], &result["submissions"]["first"]), (&json!(10), &first));
    let message = warning(&result, "test_reused");
    assert!(message.contains(&format!("10 different designs since {} UTC", first.as_str().unwrap())), "{message}");
    // Another user starts with a ledger of their own.
    let mut other = variant(1);
    other["build_id"] = json!("other");
    other["user_id"] = json!("user:other");
    redis.submit(&other);
    assert_eq!(redis.result_of("other")["submissions"]["n"], 1);
}

#[test]
fn a_job_with_an_unreadable_ledger_succeeds_with_a_warning() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    redis.submit(&variant(1));
    redis.result_of("variant-1");
    let ledgers: Vec<String> = redis.query(&["KEYS", "oculus:training:submissions:*"]);
    let [ledger] = &ledgers[..] else { panic!("{ledgers:?}") };
    let _: u64 = redis.query(&["DEL", ledger]);
    let () = redis.query(&["SET", ledger, "not a hash"]);
    redis.submit(&variant(2));
    let result = redis.result_of("variant-2");
    assert_eq!((&result["status"], &result["submissions"]["n"]), (&json!("success"), &Value::Null));
    assert!(warning(&result, "submissions_unknown").contains(ledger), "{}", result["warnings"]);
}
