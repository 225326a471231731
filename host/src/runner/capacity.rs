//! How many families of a job are fitted in parallel: as many as cores and memory allow. Never changes a result.

use oculus_system::memory;

use super::spec::JobResources;

/// Memory reserved per family: the engine of the largest one takes 0.5 GiB without any data.
const FAMILY_BYTES: u64 = 2 << 30;

/// Returns the number of families to fit in parallel, at least one: the cores of this job, or fewer if its share of the
/// available memory is too small. Where the system does not report available memory, as on macOS, only cores count.
pub(super) fn families_at_once(resources: &JobResources) -> usize {
    families_within(memory::available_bytes(), resources)
}

fn families_within(available_bytes: Option<u64>, resources: &JobResources) -> usize {
    let by_memory = available_bytes.map_or(usize::MAX, |bytes| families_in(bytes, resources.jobs_at_once));
    by_memory.min(resources.parallel_fits).max(1)
}

fn families_in(available_bytes: u64, jobs_at_once: usize) -> usize {
    let share = available_bytes / jobs_at_once.max(1) as u64;
    usize::try_from(share / FAMILY_BYTES).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use oculus_market_data::BarsPlace;
    use oculus_plugin_host::limits::Limits;

    use super::*;

    #[test]
    fn a_job_uses_its_share_of_the_available_memory_only() {
        assert_eq!([1, 2, 3, 7].map(|n_jobs| families_in(12 << 30, n_jobs)), [6, 3, 2, 0]);
    }

    #[test]
    fn there_is_room_for_at_least_one_family_and_at_most_one_per_core() {
        let resources = |parallel_fits, jobs_at_once| JobResources {
            bars: BarsPlace::Folder("/".into()),
            parallel_fits,
            jobs_at_once,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            worker: String::new(),
        };
        assert_eq!(families_within(Some(1 << 40), &resources(64, 1 << 40)), 1);
        assert_eq!(families_within(None, &resources(64, 1 << 40)), 64);
        assert_eq!(families_at_once(&resources(1, 1)), 1);
    }
}
