//! Lists, retries and drops dead letters.
//!
//! In: a selection of letters. Out: their contents, or entries in the queue. Invariants: a letter
//! leaves its list only after its entry is in the queue, or if it is dropped on request. The exact
//! bytes of an entry are pushed; an entry of which only a part is stored is never pushed.

use std::fmt;

use oculus_job::hash::sha256_hex;
use redis::{RedisResult, cmd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OperatedQueue, OperationError, Operations};
use crate::worker::queue::scripts;

/// The number of letters that one step reads or changes. Redis runs no other command during a step.
const STEP: usize = 50;

/// The number of digits of the hash that identifies a letter.
const HASH_DIGITS: usize = 12;

/// The smallest number of digits of a hash that select a letter.
const MIN_HASH_DIGITS: usize = 6;

/// A dead letter of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QueuedLetter {
    /// Queue of the letter.
    pub queue: String,
    /// First 12 digits of the SHA-256 of the stored letter; selects the letter like its job id.
    pub hash: String,
    /// The letter.
    pub letter: StoredLetter,
    /// The text of the letter in Redis.
    #[serde(skip)]
    text: Vec<u8>,
}

/// A dead letter as Redis stores it. The fields of a letter from another program may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StoredLetter {
    /// Error code.
    pub reason: Option<String>,
    /// Cause, for people.
    pub message: Option<String>,
    /// Remedy, for people.
    pub hint: Option<String>,
    /// Id of the job; null if none could be read.
    pub id: Option<String>,
    /// Seconds since 1970.
    pub time: Option<u64>,
    /// Exact entry, or its first 64 KiB; null if the entry is not UTF-8.
    pub entry: Option<String>,
    /// Bytes of an entry that is not UTF-8, as hexadecimal digits.
    pub entry_hex: Option<String>,
    /// Length of an entry that is longer than 64 KiB; null if the entry is complete.
    pub entry_bytes: Option<u64>,
    /// SHA-1 of an entry that is longer than 64 KiB.
    pub entry_sha1: Option<String>,
    /// Exit code of the job process, if it exited without a result.
    pub exit_code: Option<i32>,
    /// Signal that killed the job process, if one did.
    pub signal: Option<i32>,
    /// Last lines that the job process printed.
    pub last_lines: Option<String>,
}

/// A selection of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterSelection {
    /// All letters.
    All,
    /// The letters with this error code.
    Reason(String),
    /// The letters with one of these job ids, or whose hash begins with one of these texts.
    Names(Vec<String>),
}

/// The dead letters of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DeadLetterList {
    /// Queue of the letters.
    pub queue: String,
    /// Number of all letters of the queue.
    pub n_letters: u64,
    /// The selected letters, newest first.
    pub letters: Vec<QueuedLetter>,
}

/// A change of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterAction {
    /// The entries are pushed to the queue, and the letters are removed.
    Retry,
    /// The letters are removed.
    Drop,
}

/// The letters of a queue that were changed, and those that were not.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ChangedLetters {
    /// Queue of the letters.
    pub queue: String,
    /// Change of the letters.
    pub action: LetterAction,
    /// Changed letters, oldest first.
    pub changed: Vec<LetterName>,
    /// Letters that cannot be retried, oldest first.
    pub refused: Vec<RefusedLetter>,
}

/// The name of a letter.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LetterName {
    /// First 12 digits of the SHA-256 of the stored letter.
    pub hash: String,
    /// Id of the job; null if none could be read.
    pub id: Option<String>,
}

/// A letter that cannot be retried.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RefusedLetter {
    /// First 12 digits of the SHA-256 of the stored letter.
    pub hash: String,
    /// Id of the job; null if none could be read.
    pub id: Option<String>,
    /// Cause and remedy, for people.
    pub message: String,
}

impl Operations {
    /// Returns the selected dead letters of each queue, at most `limit` per queue.
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn dead_letters(
        &self,
        selection: &LetterSelection,
        limit: usize,
    ) -> Result<Vec<DeadLetterList>, OperationError> {
        let mut lists = Vec::new();
        for queue in &self.queues {
            let n_letters = self.redis.query("dead letters", cmd("LLEN").arg(queue.keys.dead())).await?;
            let mut letters = Vec::new();
            let mut start = 0;
            while letters.len() < limit {
                let step = self.read_letters(queue, start, start + STEP as i64 - 1).await?;
                if step.is_empty() {
                    break;
                }
                start += step.len() as i64;
                letters.extend(step.into_iter().filter(|letter| selection.contains(letter)));
            }
            letters.truncate(limit);
            lists.push(DeadLetterList { queue: queue.name().to_owned(), n_letters, letters });
        }
        Ok(lists)
    }

    /// Retries or drops the selected dead letters. Retried entries are behind all entries that
    /// wait.
    ///
    /// # Errors
    /// Returns [`OperationError::NoLetter`] if no queue has a selected letter.
    pub async fn change_letters(
        &self,
        selection: &LetterSelection,
        action: LetterAction,
    ) -> Result<Vec<ChangedLetters>, OperationError> {
        let mut changes = Vec::new();
        for queue in &self.queues {
            let change = self.change_letters_in(queue, selection, action).await?;
            if !change.changed.is_empty() || !change.refused.is_empty() {
                changes.push(change);
            }
        }
        if changes.is_empty() {
            return Err(OperationError::NoLetter { selection: selection.to_string(), queues: self.queue_names() });
        }
        Ok(changes)
    }

    async fn change_letters_in(
        &self,
        queue: &OperatedQueue,
        selection: &LetterSelection,
        action: LetterAction,
    ) -> RedisResult<ChangedLetters> {
        let mut change =
            ChangedLetters { queue: queue.name().to_owned(), action, changed: Vec::new(), refused: Vec::new() };
        // The oldest letters are at the end, and workers add letters at the start. Indexes that are
        // counted from the end are therefore valid until this function removes a letter.
        let mut n_kept = 0;
        // Letters that are added meanwhile are not changed, so the loop ends.
        let mut n_left: i64 = self.redis.query("dead letters", cmd("LLEN").arg(queue.keys.dead())).await?;
        while n_left > 0 {
            let n_step = n_left.min(STEP as i64);
            let mut step = self.read_letters(queue, -(n_kept + n_step), -(n_kept + 1)).await?;
            if step.is_empty() {
                break;
            }
            n_left -= step.len() as i64;
            step.reverse();
            let (selected, others): (Vec<_>, Vec<_>) = step.into_iter().partition(|letter| selection.contains(letter));
            let n_refused_before = change.refused.len();
            self.take(queue, selected, &mut change).await?;
            n_kept += (others.len() + change.refused.len() - n_refused_before) as i64;
        }
        Ok(change)
    }

    /// Removes letters in one step, and pushes their entries if they are retried. Adds each letter
    /// to `change`, unless it no longer exists.
    async fn take(
        &self,
        queue: &OperatedQueue,
        letters: Vec<QueuedLetter>,
        change: &mut ChangedLetters,
    ) -> RedisResult<()> {
        let is_retry = change.action == LetterAction::Retry;
        let mut call = scripts::TAKE_LETTERS.key(queue.keys.dead());
        call.key(queue.keys.queue()).arg(if is_retry { queue.push_last() } else { "" });
        let mut taken = Vec::new();
        for QueuedLetter { hash, letter, text, .. } in letters {
            let entry = if is_retry { letter.exact_entry().map(Some) } else { Ok(None) };
            match entry {
                Ok(entry) => {
                    call.arg(text);
                    entry.into_iter().for_each(|entry| _ = call.arg(entry));
                    taken.push(LetterName { hash, id: letter.id });
                }
                Err(message) => change.refused.push(RefusedLetter { hash, id: letter.id, message }),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let exists: Vec<bool> = self.redis.invoke(&format!("take letters on {}", queue.name()), &call).await?;
        let action = if is_retry { "retry dead letter" } else { "drop dead letter" };
        for (name, _) in taken.into_iter().zip(exists).filter(|(_, exists)| *exists) {
            self.audit(queue, action, name.id.as_deref().unwrap_or(&name.hash));
            change.changed.push(name);
        }
        Ok(())
    }

    /// Returns the letters from `start` to `end`, both inclusive, newest first.
    async fn read_letters(&self, queue: &OperatedQueue, start: i64, end: i64) -> RedisResult<Vec<QueuedLetter>> {
        let call = cmd("LRANGE").arg(queue.keys.dead()).arg(start).arg(end).to_owned();
        let texts: Vec<Vec<u8>> = self.redis.query("dead letters", &call).await?;
        Ok(texts.into_iter().map(|text| QueuedLetter::parse(queue.name(), text)).collect())
    }
}

impl QueuedLetter {
    fn parse(queue: &str, text: Vec<u8>) -> Self {
        let hash = sha256_hex(&text)[..HASH_DIGITS].to_owned();
        let letter = serde_json::from_slice(&text).unwrap_or_default();
        Self { queue: queue.to_owned(), hash, letter, text }
    }
}

impl StoredLetter {
    /// Returns the bytes of the entry.
    ///
    /// # Errors
    /// Returns the cause and the remedy, as a sentence, if the letter does not contain the whole
    /// entry.
    fn exact_entry(&self) -> Result<Vec<u8>, String> {
        if let Some(n_bytes) = self.entry_bytes {
            return Err(format!(
                "the letter contains only the first 64 KiB of an entry of {n_bytes} bytes; push the job again from its \
                 source, then drop the letter"
            ));
        }
        let from_hex = |digits: &String| {
            let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
            let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            pairs.iter().map(byte).collect::<Option<Vec<u8>>>()
        };
        let entry = self.entry.as_ref().map(|entry| entry.clone().into_bytes());
        entry.or_else(|| self.entry_hex.as_ref().and_then(from_hex)).ok_or_else(|| {
            "the letter has neither `entry` nor `entry_hex`, so another program wrote it; drop it, and push the job again"
                .to_owned()
        })
    }
}

impl LetterSelection {
    /// Returns whether a letter is selected.
    fn contains(&self, QueuedLetter { hash, letter, .. }: &QueuedLetter) -> bool {
        match self {
            Self::All => true,
            Self::Reason(reason) => letter.reason.as_ref() == Some(reason),
            Self::Names(names) => names.iter().any(|name| {
                letter.id.as_ref() == Some(name) || (name.len() >= MIN_HASH_DIGITS && hash.starts_with(name.as_str()))
            }),
        }
    }
}

impl fmt::Display for LetterSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("`--all`"),
            Self::Reason(reason) => write!(f, "the reason `{reason}`"),
            Self::Names(names) => write!(f, "`{}`", names.join("`, `")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes_of_an_entry_are_restored_and_a_part_of_one_is_not() {
        let entry = |json: &str| serde_json::from_str::<StoredLetter>(json).unwrap().exact_entry();
        assert_eq!(entry(r#"{"entry":"a\u0000\n\/"}"#).unwrap(), b"a\0\n/");
        assert_eq!(entry(r#"{"entry_hex":"ff00"}"#).unwrap(), [255, 0]);
        assert!(entry(r#"{"entry":"a","entry_bytes":70000}"#).unwrap_err().contains("70000 bytes"));
        for other in [r#"{"entry_hex":"f"}"#, r#"{"entry_hex":"xy"}"#, "{}"] {
            assert!(entry(other).is_err(), "{other}");
        }
    }
}
