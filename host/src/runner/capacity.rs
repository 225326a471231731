//! Computes how many families of a job are fitted in parallel. Cores and memory limit this number.
//!
//! Invariant: the number does not change a result.

use oculus_system::memory;

use super::spec::JobResources;

/// The memory in bytes reserved per family. The engine of the largest family uses 0.5 GiB without
/// any data.
const FAMILY_BYTES: u64 = 2 << 30;

/// Returns the number of families to fit in parallel, at least one. It is the job's number of
/// parallel fits, or less if the job's share of the available memory is too small. If the system
/// does not report available memory, as on macOS, only the parallel fits limit the number.
pub(super) fn n_parallel_families(resources: &JobResources) -> usize {
    n_families_within_memory(memory::available_bytes(), resources)
}

/// Returns the number of families to fit in parallel if `available_bytes` of memory are available.
fn n_families_within_memory(available_bytes: Option<u64>, resources: &JobResources) -> usize {
    let by_memory = available_bytes.map_or(usize::MAX, |bytes| n_families_in_share(bytes, resources.jobs_at_once));
    by_memory.min(resources.parallel_fits).max(1)
}

/// Returns the number of families that fit into one job's share of the available memory.
fn n_families_in_share(available_bytes: u64, jobs_at_once: usize) -> usize {
    let share = available_bytes / jobs_at_once.max(1) as u64;
    usize::try_from(share / FAMILY_BYTES).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use oculus_market_data::SourceConfig;
    use oculus_plugin_host::limits::Limits;

    use super::*;

    #[test]
    fn a_job_uses_only_its_share_of_the_available_memory() {
        assert_eq!([1, 2, 3, 7].map(|n_jobs| n_families_in_share(12 << 30, n_jobs)), [6, 3, 2, 0]);
    }

    #[test]
    fn at_least_one_family_and_at_most_one_per_core_is_fitted() {
        let resources = |parallel_fits, jobs_at_once| JobResources {
            bars: SourceConfig::Folder("/".into()),
            parallel_fits,
            jobs_at_once,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            speeds: "/".into(),
            worker: String::new(),
        };
        assert_eq!(n_families_within_memory(Some(1 << 40), &resources(64, 1 << 40)), 1);
        assert_eq!(n_families_within_memory(None, &resources(64, 1 << 40)), 64);
        assert_eq!(n_parallel_families(&resources(1, 1)), 1);
    }
}
