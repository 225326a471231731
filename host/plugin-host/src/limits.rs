//! The limits at which a plugin process is killed.

use std::time::Duration;

use oculus_system::memory;
use serde::{Deserialize, Serialize};

/// The limits of one plugin process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The maximum private memory in bytes. The table that all processes share is not counted.
    pub memory_bytes: u64,
    /// The longest time during which a call may send neither a reply nor another event.
    pub silence: Duration,
}

impl Limits {
    /// Returns four fifths of the machine's memory, or `u64::MAX` if the system does not report it.
    pub fn default_memory_bytes() -> u64 {
        memory::total_bytes().map_or(u64::MAX, |bytes| bytes / 5 * 4)
    }
}
