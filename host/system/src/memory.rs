//! Memory of the machine, as reported by Linux.
//!
//! In: `/proc/meminfo`. Out: numbers of bytes. Invariant: a missing or malformed field is `None`,
//! never an estimate.

/// Returns the machine's total memory in bytes, or `None` if `/proc/meminfo` does not exist
/// (macOS).
pub fn total_bytes() -> Option<u64> {
    field(&meminfo()?, "MemTotal:")
}

/// Returns the bytes that can be allocated without swapping, or `None` if `/proc/meminfo` does not
/// exist (macOS).
pub fn available_bytes() -> Option<u64> {
    field(&meminfo()?, "MemAvailable:")
}

fn meminfo() -> Option<String> {
    std::fs::read_to_string("/proc/meminfo").ok()
}

/// Parses a field of `/proc/meminfo`, such as `MemTotal:`, and converts it from kB to bytes.
fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_converted_to_bytes_and_malformed_ones_are_none() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";
        assert_eq!(field(meminfo, "MemTotal:"), Some(16_384_000 * 1024));
        assert_eq!(field(meminfo, "MemAvailable:"), Some(12 << 30));
        assert_eq!(field("MemTotal: much", "MemTotal:"), None);
    }
}
