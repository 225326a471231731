//! Claims: entries that this worker has taken from a queue, and the ids that prove who holds them.
//!
//! Invariant: a claim id is never issued twice, also if Redis returns from an older state or its
//! clock goes back.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An entry that this worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Fences this attempt against any other.
    pub id: ClaimId,
    /// The entry's bytes, cut one byte after [`MAX_BYTES`](super::entry::MAX_BYTES).
    pub entry: Vec<u8>,
}

/// The identity of a claim. Both parts must match: a token repeats if Redis returns from an older
/// state and its clock goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClaimId {
    /// The fencing token; the attempt with the larger one is the later one.
    pub token: u64,
    /// The worker process that fetched the entry; `None` in results that a version without boot ids
    /// left on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootId>,
}

impl ClaimId {
    /// Returns the boot id as the scripts compare it: empty if there is none.
    pub fn boot_text(self) -> String {
        self.boot.map_or_else(String::new, String::from)
    }
}

/// A random id of one start of a worker process: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BootId(u128);

impl BootId {
    /// Draws a boot id from the system's random source.
    ///
    /// # Errors
    /// The system has no random source.
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

/// The worker process that holds the claims which it fetches.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The worker's id, as the backend and the logs show it.
    pub worker_id: String,
    /// This start of the worker. Two processes differ here even if their worker ids are equal.
    pub boot: BootId,
}

impl Holder {
    /// Returns a holder for a worker process that starts now.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn new(worker_id: &str) -> Result<Self, getrandom::Error> {
        Ok(Self { worker_id: worker_id.to_owned(), boot: BootId::random()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_with_one_worker_id_differ_in_their_boot_ids() {
        let [first, second] = [(); 2].map(|()| Holder::new("worker").unwrap());
        assert_eq!(first.worker_id, second.worker_id);
        assert_ne!(first.boot, second.boot);
    }

    #[test]
    fn a_claim_id_survives_json_with_and_without_a_boot_id() {
        let boot = BootId(0xbeef);
        let with_boot = ClaimId { token: 7, boot: Some(boot) };
        let json = serde_json::to_string(&with_boot).unwrap();
        assert_eq!(json, r#"{"token":7,"boot":"0000000000000000000000000000beef"}"#);
        assert_eq!(serde_json::from_str::<ClaimId>(&json).unwrap(), with_boot);
        let without_boot: ClaimId = serde_json::from_str(r#"{"token":7}"#).unwrap();
        assert_eq!((without_boot.token, without_boot.boot_text().as_str()), (7, ""));
    }
}
