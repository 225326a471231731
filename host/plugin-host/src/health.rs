//! How the plugins of a job fared, which decides whether a new generation keeps its place.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Outcome of one library in one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginHealth {
    /// SHA-256 of the library, as hex.
    pub sha256: String,
    /// Whether one of its processes died by itself, hung or used too much memory, or one of its calls panicked.
    pub died: bool,
}

/// The libraries that one job has used, recorded by its sessions from any thread.
#[derive(Debug, Default)]
pub struct HealthRecord {
    /// Whether a process of the library died, by its SHA-256.
    died: Mutex<BTreeMap<String, bool>>,
}

impl HealthRecord {
    /// Records that a process of this library was started.
    pub fn record_start(&self, sha256: &str) {
        self.died.lock().entry(sha256.to_owned()).or_default();
    }

    /// Records that a process of this library ended before the job released it.
    pub fn record_death(&self, sha256: &str) {
        self.died.lock().insert(sha256.to_owned(), true);
    }

    /// Returns one entry per library of which a process was started.
    pub fn all(&self) -> Vec<PluginHealth> {
        self.died.lock().iter().map(|(sha256, &died)| PluginHealth { sha256: sha256.clone(), died }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_died_once_stays_one_that_died() {
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
