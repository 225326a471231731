//! How many families of a job are fitted side by side: as many as cores and memory carry. Never changes a result.

use crate::job::channel::Setting;

/// Memory that a family's process is reckoned with: the largest of them take 0.5 GiB for their engine alone.
const FAMILY_BYTES: u64 = 2 << 30;

/// Families side by side, at least one: the cores of this job, or fewer where its share of the free memory is not enough
/// for as many. Where the system does not say what is free, as on macOS, the cores alone count.
pub fn families_at_once(setting: &Setting) -> usize {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
    let by_memory = meminfo.as_deref().and_then(available_bytes).map(|bytes| families_in(bytes, setting.jobs_at_once));
    by_memory.unwrap_or(usize::MAX).min(setting.parallel_fits).max(1)
}

fn families_in(available_bytes: u64, jobs_at_once: usize) -> usize {
    let share = available_bytes / jobs_at_once.max(1) as u64;
    usize::try_from(share / FAMILY_BYTES).unwrap_or(usize::MAX)
}

/// What Linux reckons can be had without swapping.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::limits::Limits;
    use crate::sources::BarsPlace;

    #[test]
    fn a_job_counts_on_its_share_of_the_free_memory_only() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";
        assert_eq!(available_bytes(meminfo), Some(12 << 30));
        assert_eq!([1, 2, 3, 7].map(|n_jobs| families_in(12 << 30, n_jobs)), [6, 3, 2, 0]);
        assert_eq!(available_bytes("MemAvailable: much"), None);
    }

    #[test]
    fn there_is_always_room_for_one_family_and_never_for_more_than_the_cores() {
        let setting = |parallel_fits, jobs_at_once| Setting {
            bars: BarsPlace::Folder("/".into()),
            parallel_fits,
            jobs_at_once,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            worker: String::new(),
        };
        assert_eq!(families_at_once(&setting(64, 1 << 40)), if cfg!(target_os = "linux") { 1 } else { 64 });
        assert_eq!(families_at_once(&setting(1, 1)), 1);
    }
}
