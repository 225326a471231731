//! Dead letters that operators list, retry and drop.

use oculus_host::worker::operations::OperationError;
use oculus_host::worker::operations::dead::{ChangedLetters, LetterAction, LetterSelection, QueuedLetter};

use super::*;

/// Makes dead letters of entries, in order.
async fn bury(redis: &Redis, queue: &Queue, entries: &[&[u8]]) {
    for entry in entries {
        let mut push = redis::cmd("LPUSH");
        let _: u64 = push.arg(Q).arg(*entry).query(&mut redis.connection()).unwrap();
        let claim = fetch(queue).await;
        let id = std::str::from_utf8(entry).ok().filter(|entry| entry.starts_with("job"));
        queue.finish(claim.id, id, &dead(ErrorCode::PayloadMissing)).await.unwrap();
    }
}

async fn letters(redis: &Redis) -> Vec<QueuedLetter> {
    operations(redis).dead_letters(&LetterSelection::All, 1000).await.unwrap().remove(0).letters
}

async fn change(redis: &Redis, selection: LetterSelection, action: LetterAction) -> ChangedLetters {
    operations(redis).change_letters(&selection, action).await.unwrap().remove(0)
}

fn named(name: &str) -> LetterSelection {
    LetterSelection::Names(vec![name.to_owned()])
}

#[tokio::test]
async fn a_retried_letter_pushes_the_exact_bytes_of_its_entry_behind_the_waiting_ones() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let entries: [&[u8]; 5] = [b"job-1", b"\xff\x00\xfe", b"{\"a\": \"\\u00e4\\/\xc3\xa4\x7f\x01\"}", b"[]", b""];
    bury(&redis, &queue, &entries).await;
    push(&redis, "waiting");
    let changed = change(&redis, LetterSelection::All, LetterAction::Retry).await;
    assert_eq!((changed.changed.len(), changed.refused.len()), (5, 0));
    assert_eq!(redis.query::<u64>(&["LLEN", "{q}:dead"]), 0);
    let mut pushed: Vec<Vec<u8>> = redis.query(&["LRANGE", Q, "0", "-1"]);
    pushed.reverse();
    assert_eq!(pushed[0], b"waiting");
    assert_eq!(pushed[1..], entries.map(<[u8]>::to_vec), "the oldest letter is retried first");
}

#[tokio::test]
async fn letters_are_selected_by_id_by_reason_and_by_the_start_of_their_hash() {
    let redis = Redis::start();
    let queue = queue(&redis);
    bury(&redis, &queue, &[b"job-1", b"job-2", b"[]", b"job-1"]).await;
    let nameless = letters(&redis).await.into_iter().find(|letter| letter.letter.id.is_none()).unwrap();
    let by_hash = change(&redis, named(&nameless.hash[..6]), LetterAction::Drop).await;
    assert_eq!(by_hash.changed[0].hash, nameless.hash);
    assert_eq!(change(&redis, named("job-1"), LetterAction::Retry).await.changed.len(), 2);
    let other = LetterSelection::Reason("job_crashed".to_owned());
    let missing = operations(&redis).change_letters(&other, LetterAction::Drop).await.unwrap_err();
    assert!(matches!(&missing, OperationError::NoLetter { .. }), "{missing}");
    let by_reason = LetterSelection::Reason("payload_missing".to_owned());
    assert_eq!(change(&redis, by_reason, LetterAction::Drop).await.changed[0].id.as_deref(), Some("job-2"));
    assert_eq!((letters(&redis).await.len(), waiting(&redis)), (0, vec!["job-1".to_owned(); 2]));
}

#[tokio::test]
async fn a_letter_with_a_part_of_its_entry_or_without_one_is_refused_and_stays() {
    let redis = Redis::start();
    let queue = queue(&redis);
    bury(&redis, &queue, &[&b"x".repeat(70_000), b"job-1"]).await;
    let _: u64 = redis.query(&["LPUSH", "{q}:dead", "of another program"]);
    let changed = change(&redis, LetterSelection::All, LetterAction::Retry).await;
    assert_eq!(changed.changed[0].id.as_deref(), Some("job-1"));
    let [truncated, foreign] = &changed.refused[..] else { panic!("{changed:?}") };
    assert!(truncated.message.contains("70000 bytes"), "{truncated:?}");
    assert!(foreign.message.contains("another program"), "{foreign:?}");
    assert_eq!(letters(&redis).await.len(), 2);
    assert_eq!(change(&redis, LetterSelection::All, LetterAction::Drop).await.changed.len(), 2);
}

#[tokio::test]
async fn letters_of_several_steps_are_retried_in_order_and_the_unselected_ones_stay() {
    let redis = Redis::start();
    let letter = |n: u32, reason: &str| json!({ "entry": format!("e{n}"), "id": null, "reason": reason }).to_string();
    for n in 0..260 {
        let reason = if n % 2 == 0 { "even" } else { "odd" };
        let _: u64 = redis.query(&["LPUSH", "{q}:dead", &letter(n, reason)]);
    }
    let even = LetterSelection::Reason("even".to_owned());
    assert_eq!(change(&redis, even, LetterAction::Retry).await.changed.len(), 130);
    let mut pushed = waiting(&redis);
    pushed.reverse();
    assert_eq!(pushed, (0..130).map(|n| format!("e{}", 2 * n)).collect::<Vec<_>>());
    let left = letters(&redis).await;
    assert_eq!(left.len(), 130);
    assert!(left.iter().all(|letter| letter.letter.reason.as_deref() == Some("odd")));
}

#[tokio::test]
async fn a_letter_that_cannot_be_pushed_stays() {
    let redis = Redis::start();
    let queue = queue(&redis);
    bury(&redis, &queue, &[b"job-1"]).await;
    let () = redis.query(&["SET", Q, "not a list"]);
    assert!(operations(&redis).change_letters(&named("job-1"), LetterAction::Retry).await.is_err());
    assert_eq!(letters(&redis).await.len(), 1);
}
