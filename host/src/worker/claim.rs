//! Claims: entries that this worker has fetched from a queue, with the ids of their holders, and the
//! record from which a holder restores a claim that Redis loses.
//!
//! Invariant: a claim id is never issued twice, even if Redis reverts to an older state and its
//! clock is set back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::server_id::ServerId;

/// An entry that this worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The identity of the claim. Redis rejects writes under any other identity.
    pub id: ClaimId,
    /// The first [`MAX_BYTES`](super::entry::MAX_BYTES) + 1 bytes of the entry.
    pub entry: Vec<u8>,
    /// The number of entries that still waited in the queue when this one was claimed.
    pub queue_length: u64,
    /// The time before the request, from which the lease is counted.
    pub(super) requested_at: Moment,
    /// The server that issued the claim, if the Redis user may read its id.
    pub server: Option<ServerId>,
    /// True if the job id was read from the entry and is stored in the claim.
    pub is_named: bool,
    /// The payload at the default key, if it was read together with the entry.
    pub payload: Option<Vec<u8>>,
}

/// The parts of a claim that its holder keeps, so that it can restore the claim if Redis reverts to
/// an older state and loses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The entry, as in [`Claim::entry`].
    #[serde(with = "text_or_bytes")]
    pub entry: Vec<u8>,
    /// The job id, if one could be read.
    pub id: Option<String>,
    /// The payload, if it is stored at a key and has been read.
    pub payload: Option<PayloadRecord>,
    /// The start of the job; `None` until the job starts.
    pub start: Option<StartRecord>,
    /// The server that last confirmed the claim. If it is unknown, the claim is never restored,
    /// because this worker cannot know whether Redis has lost the claim or given it to another.
    pub server: Option<ServerId>,
}

/// A payload and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadRecord {
    /// The key.
    pub key: String,
    /// The payload.
    #[serde(with = "text_or_bytes")]
    pub value: Vec<u8>,
}

/// The parts of a claim that are known from the start of its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The number of earlier attempts whose job process died.
    pub crashes: u32,
    /// SHA-256 of the payload, in hexadecimal digits.
    pub payload_sha256: String,
}

/// Serializes bytes as a string if they are UTF-8, and as a list of numbers otherwise.
mod text_or_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrBytes {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.serialize(serializer),
            Err(_) => bytes.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match TextOrBytes::deserialize(deserializer)? {
            TextOrBytes::Text(text) => text.into_bytes(),
            TextOrBytes::Bytes(bytes) => bytes,
        })
    }
}

/// The identity of a claim. A holder must match both parts, because a token can repeat if Redis
/// reverts to an older state while its clock is set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClaimId {
    /// The fencing token. Of two attempts, the one with the larger token is the later one.
    pub token: u64,
    /// The boot id of the worker process that fetched the entry. It is `None` in results on disk
    /// from an older version, which had no boot ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootId>,
}

impl ClaimId {
    /// Returns the boot id in the form that the scripts compare. It is empty if there is none.
    pub fn boot_text(self) -> String {
        self.boot.map_or_else(String::new, String::from)
    }
}

/// A random id of one start of a worker process, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BootId(u128);

impl BootId {
    /// Generates a boot id from the system's random source.
    ///
    /// # Errors
    /// Returns [`getrandom::Error`] if the system has no random source.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(u128::from_le_bytes(bytes)))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<BootId> for String {
    fn from(boot: BootId) -> Self {
        boot.to_string()
    }
}

impl TryFrom<String> for BootId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// A worker process, as the holder of the claims that it fetches.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The worker's id, as the backend and the logs show it.
    pub worker_id: String,
    /// The id of this start of the worker. It differs between two processes with equal worker ids.
    pub boot: BootId,
}

impl Holder {
    /// Creates the holder of a worker process that starts now.
    ///
    /// # Errors
    /// Returns [`getrandom::Error`] if the system has no random source.
    pub fn new(worker_id: &str) -> Result<Self, getrandom::Error> {
        Ok(Self { worker_id: worker_id.to_owned(), boot: BootId::random()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_with_the_same_worker_id_have_different_boot_ids() {
        let [first, second] = [(); 2].map(|()| Holder::new("worker").unwrap());
        assert_eq!(first.worker_id, second.worker_id);
        assert_ne!(first.boot, second.boot);
    }

    #[test]
    fn a_claim_id_is_unchanged_by_json_with_and_without_a_boot_id() {
        let boot = BootId(0xbeef);
        let with_boot = ClaimId { token: 7, boot: Some(boot) };
        let json = serde_json::to_string(&with_boot).unwrap();
        assert_eq!(json, r#"{"token":7,"boot":"0000000000000000000000000000beef"}"#);
        assert_eq!(serde_json::from_str::<ClaimId>(&json).unwrap(), with_boot);
        let without_boot: ClaimId = serde_json::from_str(r#"{"token":7}"#).unwrap();
        assert_eq!((without_boot.token, without_boot.boot_text().as_str()), (7, ""));
    }
}
