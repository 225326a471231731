//! What one plugin process may use before it is ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of one plugin process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of its own, the shared table not counted.
    pub memory_bytes: u64,
    /// How long it may neither answer nor tell how it comes on.
    pub silence: Duration,
}

impl Limits {
    /// Four fifths of the machine's memory; without bounds where the system does not say how much there is.
    pub fn usual_memory_bytes() -> u64 {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        total_bytes(&meminfo).map_or(u64::MAX, |bytes| bytes / 5 * 4)
    }
}

/// What Linux says the machine has.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read_where_the_system_says_it() {
        assert_eq!(total_bytes("MemFree: 1 kB\nMemTotal:       16384000 kB\n"), Some(16_384_000 * 1024));
        assert_eq!(total_bytes("MemTotal: much"), None);
    }
}
