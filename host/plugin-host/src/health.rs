//! Records which plugins of a job crashed. The catalog withdraws a new generation that crashes in
//! its first jobs.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The health of one library in one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginHealth {
    /// SHA-256 of the library, as hex.
    pub sha256: String,
    /// True if a process of the library crashed, hung or used too much memory, or if one of its
    /// calls panicked.
    pub died: bool,
}

/// The health of all libraries that one job uses, recorded by its sessions from any thread.
#[derive(Debug, Default)]
pub struct HealthRecord {
    /// For the SHA-256 of each library: true if a process of the library died, else false.
    died: Mutex<BTreeMap<String, bool>>,
}

impl HealthRecord {
    /// Records that a process of this library was started.
    pub fn record_start(&self, sha256: &str) {
        // A restart must not clear an earlier death.
        self.died.lock().entry(sha256.to_owned()).or_default();
    }

    /// Records that a process of this library terminated before the job released it, or that one of
    /// its calls panicked.
    pub fn record_death(&self, sha256: &str) {
        self.died.lock().insert(sha256.to_owned(), true);
    }

    /// Returns one entry per library for which a process was started.
    pub fn all(&self) -> Vec<PluginHealth> {
        self.died.lock().iter().map(|(sha256, &died)| PluginHealth { sha256: sha256.clone(), died }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_does_not_clear_a_recorded_death() {
        let record = HealthRecord::default();
        assert_eq!(record.all(), []);
        record.record_start("b");
        record.record_death("b");
        record.record_start("b");
        record.record_start("a");
        let health = |sha256: &str, died| PluginHealth { sha256: sha256.to_owned(), died };
        assert_eq!(record.all(), [health("a", false), health("b", true)]);
    }
}
