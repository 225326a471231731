//! Memory of the machine, as Linux reports it.
//!
//! In: `/proc/meminfo`. Out: numbers of bytes. Invariant: a missing or malformed field is `None`,
//! never a guess.

/// Returns the machine's memory in bytes; `None` where `/proc/meminfo` does not exist, as on macOS.
pub fn total_bytes() -> Option<u64> {
    field(&meminfo()?, "MemTotal:")
}

/// Returns the bytes that can be allocated without swapping; `None` where `/proc/meminfo` does not exist.
pub fn available_bytes() -> Option<u64> {
    field(&meminfo()?, "MemAvailable:")
}

fn meminfo() -> Option<String> {
    std::fs::read_to_string("/proc/meminfo").ok()
}

/// Returns a field of `/proc/meminfo` in bytes.
fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_bytes_and_malformed_ones_are_absent() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";
        assert_eq!(field(meminfo, "MemTotal:"), Some(16_384_000 * 1024));
        assert_eq!(field(meminfo, "MemAvailable:"), Some(12 << 30));
        assert_eq!(field("MemTotal: much", "MemTotal:"), None);
    }
}
