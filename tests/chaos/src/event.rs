//! The events of a queue, as they appear in a transaction of the append-only file.
//!
//! In: a [`Transaction`]. Out: [`QueueEvent`]s. The keys are those of `docs/queue.md`.

use oculus_tests::redis_server::{DEAD, QUEUE};
use serde_json::Value;

use crate::append_only_file::{Command, Transaction, is_named};
use crate::jobs::{JobNumber, ResultSummary, number_of};

/// The key that a push sets in the same transaction, so that the push can be recognised.
pub(crate) const PUSH_MARK: &str = "chaos:push";

/// The key that is set when the state of Redis is read, so that the later transactions can be
/// recognised.
pub(crate) const STATE_MARK: &str = "chaos:state";

/// A fencing token.
pub(crate) type Token = u64;

/// A change of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueueEvent {
    /// The suite pushed a job.
    Pushed(Push),
    /// A worker claimed an entry, or restored the lost claim `adopted`.
    Claimed { token: Token, job: Option<JobNumber>, worker_pid: Option<u32>, adopted: Option<Token> },
    /// A worker started a job, or restored its claim. The job is `None` if it was named before.
    Started { token: Token, job: Option<JobNumber> },
    /// A result was stored.
    Accepted { job: JobNumber, result: ResultSummary },
    /// The job process of a job died.
    Crashed { job: JobNumber },
    /// The lease of a job expired, and its claim was removed.
    Vanished { job: JobNumber },
    /// A dead letter was added.
    DeadLetter { job: Option<JobNumber>, reason: String },
    /// A claim ended.
    Ended { token: Token, ending: ClaimEnding },
}

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimEnding {
    /// The entry was dropped: nothing else was written.
    Dropped,
    /// A result, an entry or a dead letter was written in the same transaction.
    Replaced,
}

/// A push by the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    /// The number of the push.
    pub(crate) number: u64,
    /// The job.
    pub(crate) job: JobNumber,
    /// The version of its payload.
    pub(crate) version: u32,
}

impl Push {
    /// Returns the value of the key [`PUSH_MARK`].
    pub(crate) fn to_mark(self) -> String {
        format!("{} {} {}", self.number, self.job, self.version)
    }

    fn from_mark(mark: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(mark).ok()?.split(' ');
        let number = parts.next()?.parse().ok()?;
        let job = parts.next()?.parse().ok()?;
        Some(Self { number, job, version: parts.next()?.parse().ok()? })
    }
}

/// Returns the events of a transaction, in its order.
pub(crate) fn events_of(transaction: &Transaction) -> Vec<QueueEvent> {
    let is_drop = transaction.iter().all(only_removes);
    let ending = if is_drop { ClaimEnding::Dropped } else { ClaimEnding::Replaced };
    transaction.iter().flat_map(|command| events_of_command(command, ending)).collect()
}

/// Returns whether a command removes keys, or replaces the last progress event of a job, which is
/// all that a worker does when it drops an entry.
fn only_removes(command: &Command) -> bool {
    let is_progress = command.get(1).is_some_and(|key| key.starts_with(b"oculus:training:progress:"));
    is_named(command, "DEL") || is_named(command, "UNLINK") || is_named(command, "ZREM") || is_progress
}

fn events_of_command(command: &Command, ending: ClaimEnding) -> Vec<QueueEvent> {
    let Some((name, arguments)) = command.split_first() else { return Vec::new() };
    let event = match name.to_ascii_uppercase().as_slice() {
        b"DEL" | b"UNLINK" => {
            let tokens = arguments.iter().filter_map(|key| token_of(key));
            return tokens.map(|token| QueueEvent::Ended { token, ending }).collect();
        }
        b"SET" => event_of_set(arguments),
        b"HSET" | b"HMSET" => event_of_claim(arguments),
        b"HINCRBY" => event_of_count(arguments),
        b"LPUSH" if arguments.first().is_some_and(|key| key == DEAD.as_bytes()) => {
            arguments.get(1).map(|letter| dead_letter(letter))
        }
        _ => None,
    };
    event.into_iter().collect()
}

fn event_of_set(arguments: &[Vec<u8>]) -> Option<QueueEvent> {
    let [key, value, ..] = arguments else { return None };
    if key == PUSH_MARK.as_bytes() {
        return Push::from_mark(value).map(QueueEvent::Pushed);
    }
    let job = number_of(key.strip_prefix(b"result:")?)?;
    Some(QueueEvent::Accepted { job, result: ResultSummary::read(value) })
}

fn event_of_claim(arguments: &[Vec<u8>]) -> Option<QueueEvent> {
    let (key, fields) = arguments.split_first()?;
    let token = token_of(key)?;
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name.as_bytes()).map(|pair| &pair[1]);
    if field("attempt").is_some() && field("entry").is_none() {
        return Some(QueueEvent::Started { token, job: field("id").and_then(|id| number_of(id)) });
    }
    let entry = field("entry")?;
    let worker_pid = pid_of_worker(field("worker")?);
    let adopted = field("adopted").and_then(|token| number_in(token));
    Some(QueueEvent::Claimed { token, job: number_of(entry), worker_pid, adopted })
}

fn event_of_count(arguments: &[Vec<u8>]) -> Option<QueueEvent> {
    let [key, field, ..] = arguments else { return None };
    let job = number_of(key.strip_prefix(format!("{{{QUEUE}}}:count:").as_bytes())?)?;
    match field.as_slice() {
        b"crashes" => Some(QueueEvent::Crashed { job }),
        b"vanished" => Some(QueueEvent::Vanished { job }),
        _ => None,
    }
}

fn dead_letter(letter: &[u8]) -> QueueEvent {
    let letter: Value = serde_json::from_slice(letter).unwrap_or_default();
    let job = letter["id"].as_str().and_then(|id| number_of(id.as_bytes()));
    QueueEvent::DeadLetter { job, reason: letter["reason"].as_str().unwrap_or_default().to_owned() }
}

/// Returns the token of a claim from its key.
fn token_of(key: &[u8]) -> Option<Token> {
    number_in(key.strip_prefix(format!("{{{QUEUE}}}:job:").as_bytes())?)
}

fn number_in(digits: &[u8]) -> Option<Token> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the process id from a worker's id, `<host name>-<process id>-<start time>`.
pub(crate) fn pid_of_worker(worker_id: &[u8]) -> Option<u32> {
    std::str::from_utf8(worker_id).ok()?.rsplit('-').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(commands: &[&str]) -> Transaction {
        let words = |command: &&str| command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        commands.iter().map(words).collect()
    }

    #[test]
    fn each_change_of_a_claim_is_recognised() {
        let claim = "{oculus:training_queue}:job:7";
        let claimed = format!("HSET {claim} entry chaos-3 worker my-host-42-1700000000 boot b");
        let started = format!("HSET {claim} id chaos-3 attempt 1");
        let removed = format!("DEL {claim}");
        let lease = "ZREM {oculus:training_queue}:leases 7";
        assert_eq!(
            events_of(&transaction(&[&claimed])),
            [QueueEvent::Claimed { token: 7, job: Some(3), worker_pid: Some(42), adopted: None }]
        );
        let restored = format!("{claimed} adopted 6");
        assert_eq!(
            events_of(&transaction(&[&restored])),
            [QueueEvent::Claimed { token: 7, job: Some(3), worker_pid: Some(42), adopted: Some(6) }]
        );
        assert_eq!(events_of(&transaction(&[&started])), [QueueEvent::Started { token: 7, job: Some(3) }]);
        let ended = |ending| QueueEvent::Ended { token: 7, ending };
        assert_eq!(events_of(&transaction(&[lease, &removed])), [ended(ClaimEnding::Dropped)]);
        let requeued = ["RPUSH oculus:training_queue chaos-3", lease, &removed];
        assert_eq!(events_of(&transaction(&requeued)), [ended(ClaimEnding::Replaced)]);
    }

    #[test]
    fn pushes_results_counts_and_dead_letters_are_recognised() {
        let push = Push { number: 9, job: 3, version: 2 };
        let mark = vec![b"SET".to_vec(), PUSH_MARK.into(), push.to_mark().into()];
        assert_eq!(events_of(&vec![mark]), [QueueEvent::Pushed(push)]);
        let events = events_of(&transaction(&[
            r#"SET result:chaos-3 {"status":"failed"}"#,
            "HINCRBY {oculus:training_queue}:count:chaos-3 crashes 1",
            r#"LPUSH {oculus:training_queue}:dead {"id":"chaos-3","reason":"job_crashed"}"#,
        ]));
        let result = ResultSummary { version: None, status: "failed".into(), code: String::new() };
        assert_eq!(
            events,
            [
                QueueEvent::Accepted { job: 3, result },
                QueueEvent::Crashed { job: 3 },
                QueueEvent::DeadLetter { job: Some(3), reason: "job_crashed".into() },
            ]
        );
    }
}
