//! The state of a queue, as operators see it: jobs, recent results, pauses and reports of workers.

use oculus_host::worker::operations::jobs::{ClaimState, EntryForm, QueueOverview};
use oculus_host::worker::operations::recent::RecentResult;
use oculus_job::result::ResultStatus;

use super::*;

async fn overview(redis: &Redis) -> QueueOverview {
    operations(redis).jobs(10).await.unwrap().queues.remove(0)
}

async fn recent(redis: &Redis) -> Vec<RecentResult> {
    overview(redis).await.recent
}

#[tokio::test]
async fn waiting_jobs_are_in_the_order_in_which_they_run_with_form_and_user() {
    let redis = Redis::start();
    let () = redis.query(&["SET", "job:a", r#"{"user_id":"user:1","symbols":["A"]}"#]);
    let () = redis.query(&["SET", "k", r#"{"symbols":["A"],"user_id":2}"#]);
    let long = json!({ "build_id": "long", "symbols": ["A".repeat(100_000)], "user_id": "late" }).to_string();
    let inline = r#"{"build_id":"inline","symbols":["A"],"user_id":"user:3"}"#;
    let entries = ["a", "job:b", r#"{"job_id":"c","payload_key":"k"}"#, inline, &long, "[]"];
    entries.iter().for_each(|entry| push(&redis, entry));
    let overview = overview(&redis).await;
    let rows: Vec<_> =
        overview.waiting.iter().map(|job| (job.id.as_deref(), job.form, job.user_id.as_deref())).collect();
    assert_eq!(
        rows,
        [
            (Some("a"), EntryForm::Name, Some("user:1")),
            (Some("b"), EntryForm::Name, None),
            (Some("c"), EntryForm::Reference, Some("2")),
            (Some("inline"), EntryForm::Job, Some("user:3")),
            (Some("long"), EntryForm::Job, None),
            (None, EntryForm::Unknown, None),
        ]
    );
    assert_eq!(overview.waiting.iter().map(|job| job.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_queue_with_rpush_producers_is_read_from_the_left() {
    let redis = Redis::start();
    let config = QueueConfig { names: vec![Q.to_owned()], end: QueueEnd::Left, ..config() };
    let _: u64 = redis.query(&["RPUSH", Q, "first", "second"]);
    let overview = Operations::new(client(&redis), &config, "tester").jobs(1).await.unwrap().queues.remove(0);
    assert_eq!((overview.n_waiting, overview.waiting[0].id.as_deref()), (2, Some("first")));
}

#[tokio::test]
async fn a_running_job_has_its_progress_and_a_claimed_one_has_none() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let event = |percent: u32| {
        let time: Vec<i64> = redis.query(&["TIME"]);
        let at = oculus_job_time(time[0] - 10);
        json!({ "job_id": "x", "timestamp": at, "phase": "training", "status": "in_progress",
            "details": { "percent": percent, "eta_s": 100, "message": "fitting" } })
        .to_string()
    };
    push(&redis, "job-1");
    push(&redis, "job-2");
    let running = run(&queue, "job-1").await;
    let claim = fetch(&queue).await;
    queue.name_claim(claim.id, "job-2").await.unwrap();
    for id in ["job-1", "job-2"] {
        let () = redis.query(&["SET", &format!("oculus:training:progress:{id}"), &event(40)]);
    }
    push(&redis, "newer");
    let newer = fetch(&queue).await;
    queue.start(newer.id, "job-1", "new").await.unwrap();
    let _: u64 = redis.query(&["HSET", &format!("{{q}}:job:{}", running.id.token), "cancel", "1"]);
    let overview = overview(&redis).await;
    let [first, second] = &overview.claimed[..] else { panic!("{:?}", overview.claimed) };
    assert_eq!((first.id.as_deref(), first.state, first.attempt), (Some("job-1"), ClaimState::Running, Some(1)));
    assert_eq!((first.worker.as_str(), first.percent), ("worker", Some(40.0)));
    assert_eq!((first.is_cancelled, first.has_newer_payload), (true, true));
    let [age, eta, seconds] = [first.event_age_s, first.eta_s, first.seconds].map(Option::unwrap);
    assert!((10.0..20.0).contains(&age) && (80.0..=90.0).contains(&eta) && seconds < 10.0, "{first:?}");
    assert!((20.0..=30.0).contains(&first.lease_s), "{first:?}");
    assert_eq!((second.id.as_deref(), second.state, second.phase), (Some("job-2"), ClaimState::Claimed, None));
    assert_eq!((second.is_cancelled, second.has_newer_payload, second.attempt), (false, false, None));
}

/// Returns seconds since 1970 in the form of an event's timestamp.
fn oculus_job_time(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let time = seconds.rem_euclid(86_400);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)
}

#[tokio::test]
async fn every_stored_result_is_in_the_list_of_recent_results() {
    let redis = Redis::start();
    let queue = queue_with(&redis, &QueueConfig { max_crashes: 1, ..config() });
    let failed = FailedJson { code: "no_bars" }.outcome();
    for (id, outcome) in [
        ("a", success()),
        ("b", failed),
        ("c", crash()),
        ("d", dead(ErrorCode::PayloadMissing)),
        ("e", ClaimOutcome::Release),
    ] {
        push(&redis, id);
        let claim = run(&queue, id).await;
        queue.finish(claim.id, Some(id), &outcome).await.unwrap();
    }
    operations(&redis).cancel("e").await.unwrap();
    let rows: Vec<_> = recent(&redis).await;
    let shown: Vec<_> =
        rows.iter().map(|row| (row.id.as_str(), row.status, row.code.as_deref(), row.attempt)).collect();
    assert_eq!(
        shown,
        [
            ("e", ResultStatus::Cancelled, Some("cancelled"), None),
            ("d", ResultStatus::Failed, Some("payload_missing"), Some(1)),
            ("c", ResultStatus::Failed, Some("job_crashed"), Some(1)),
            ("b", ResultStatus::Failed, Some("no_bars"), Some(1)),
            ("a", ResultStatus::Success, None, Some(1)),
        ]
    );
    assert_eq!((rows[0].worker.as_deref(), rows[0].seconds), (None, None));
    assert_eq!(rows[4].worker.as_deref(), Some("worker"));
    assert!(rows[4].seconds.unwrap() < 10.0 && rows[4].finished_at > 1.7e9, "{:?}", rows[4]);
}

/// The outcome of a job that failed with a code.
struct FailedJson {
    code: &'static str,
}

impl FailedJson {
    fn outcome(&self) -> ClaimOutcome {
        let result = json!({ "status": "failed", "error": { "code": self.code } }).to_string();
        let message = ResultMessage { result, event: "{}".into() };
        ClaimOutcome::Result { message, succeeded: None, submission: None }
    }
}

#[tokio::test]
async fn a_job_of_a_vanished_worker_is_a_recent_result_when_it_fails() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    for _ in 0..MAX_VANISHED {
        let claim = run(&queue, "job-1").await;
        expire(&redis, &claim);
        reap(&queue).await.unwrap();
    }
    let [result] = &recent(&redis).await[..] else { panic!("one result expected") };
    assert_eq!((result.code.as_deref(), result.attempt), (Some("worker_vanished"), Some(MAX_VANISHED)));
}

#[tokio::test]
async fn the_list_of_recent_results_is_capped_and_never_prevents_a_result() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let script = "for i = 1, 1000 do redis.call('RPUSH', KEYS[1], i) end";
    let () = redis.query(&["EVAL", script, "1", "{q}:recent"]);
    push(&redis, "job-1");
    let claim = run(&queue, "job-1").await;
    queue.finish(claim.id, Some("job-1"), &success()).await.unwrap();
    assert_eq!(redis.query::<u64>(&["LLEN", "{q}:recent"]), 1000);
    assert_eq!(redis.query::<String>(&["LINDEX", "{q}:recent", "-1"]), "999");
    assert_eq!(recent(&redis).await.len(), 1, "a value that is not a result is skipped");

    let _: u64 = redis.query(&["DEL", "{q}:recent"]);
    let () = redis.query(&["SET", "{q}:recent", "not a list"]);
    push(&redis, "job-2");
    let claim = run(&queue, "job-2").await;
    assert_eq!(queue.finish(claim.id, Some("job-2"), &failure()).await.unwrap(), FinishStatus::Finished);
    assert_eq!(redis.json_at("result:job-2")["status"], "failed");
}

#[tokio::test]
async fn a_pause_states_who_when_and_why_and_the_first_one_stays() {
    let redis = Redis::start();
    let queue = queue(&redis);
    push(&redis, "job-1");
    let operations = operations(&redis);
    let paused = operations.pause(Some("maintenance")).await.unwrap().remove(0);
    assert!(paused.is_paused && paused.has_changed);
    assert_eq!(queue.fetch().await.unwrap(), Fetched::Paused);
    let again = operations.pause(Some("another reason")).await.unwrap().remove(0);
    assert!(!again.has_changed);
    let pause = overview(&redis).await.pause.unwrap();
    assert_eq!((pause.by.as_deref(), pause.reason.as_deref()), (Some("tester"), Some("maintenance")));
    assert!(pause.at.unwrap() > 1.7e9);
    assert_eq!(again.pause, Some(pause));
    assert!(operations.resume().await.unwrap()[0].has_changed);
    assert!(!operations.resume().await.unwrap()[0].has_changed);
    assert_eq!(fetch(&queue).await.entry, b"job-1");
    let () = redis.query(&["SET", "{q}:paused", ""]);
    assert!(overview(&redis).await.pause.is_some(), "any value pauses the queue");
}

#[tokio::test]
async fn a_report_of_a_worker_expires_and_returns_the_request_to_drain_it() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let ttl = Duration::from_millis(60_000);
    assert_eq!(queue.report_presence("{}", ttl).await.unwrap(), None);
    let boots: Vec<String> = redis.query(&["ZRANGE", "{q}:workers", "0", "-1"]);
    let [boot] = &boots[..] else { panic!("{boots:?}") };
    let remaining: u64 = redis.query(&["PTTL", &format!("{{q}}:worker:{boot}")]);
    assert!((50_000..=60_000).contains(&remaining), "{remaining}");
    let () = redis.query(&["SET", &format!("{{q}}:drain:{boot}"), "request"]);
    assert_eq!(queue.report_presence("{}", ttl).await.unwrap().as_deref(), Some("request"));
    let _: u64 = redis.query(&["ZADD", "{q}:workers", "1", "vanished"]);
    queue.report_presence("{}", ttl).await.unwrap();
    assert_eq!(redis.query::<u64>(&["ZCARD", "{q}:workers"]), 1, "the report of a vanished worker is removed");
    assert_eq!(queue.report_presence("", ttl).await.unwrap(), None);
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), [""; 0]);
}
