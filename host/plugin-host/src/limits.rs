//! What one plugin process may use before it is ended.

use std::time::Duration;

use oculus_system::memory;
use serde::{Deserialize, Serialize};

/// Limits of one plugin process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of its own, the shared table not counted.
    pub memory_bytes: u64,
    /// Longest time without a reply or another event of the call.
    pub silence: Duration,
}

impl Limits {
    /// Returns four fifths of the machine's memory; `u64::MAX` where the system does not report it.
    pub fn usual_memory_bytes() -> u64 {
        memory::total_bytes().map_or(u64::MAX, |bytes| bytes / 5 * 4)
    }
}
