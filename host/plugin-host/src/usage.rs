//! How the plugins of a job fared: what the worker judges a new generation by.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One plugin that a job used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// SHA-256 of the library, as hex.
    pub sha256: String,
    /// Whether a process of it died by itself, hung or took too much memory, or a call of it panicked.
    pub died: bool,
}

/// The plugins of one job, told of by their sessions from any thread.
#[derive(Debug, Default)]
pub struct Record {
    /// Whether a process of the library died, by its SHA-256.
    died: Mutex<BTreeMap<String, bool>>,
}

impl Record {
    /// A process of this library was started.
    pub fn started(&self, sha256: &str) {
        self.locked().entry(sha256.to_owned()).or_default();
    }

    /// A process of this library ended before the job let go of it.
    pub fn died(&self, sha256: &str) {
        self.locked().insert(sha256.to_owned(), true);
    }

    /// Each library of which a process was started.
    pub fn uses(&self) -> Vec<Use> {
        self.locked().iter().map(|(sha256, &died)| Use { sha256: sha256.clone(), died }).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.died.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_died_once_stays_one_that_died() {
        let record = Record::default();
        assert_eq!(record.uses(), []);
        record.started("b");
        record.died("b");
        record.started("b");
        record.started("a");
        let told = |sha256: &str, died| Use { sha256: sha256.to_owned(), died };
        assert_eq!(record.uses(), [told("a", false), told("b", true)]);
    }
}
