//! Every file in the plugins folder either is a plugin or is rejected with a reason, and no file
//! affects the worker.

use std::collections::BTreeSet;

use oculus_tests::processes::{descendants_of, mapped_from, n_open_files};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results};

mod corruption;
mod files;
mod libraries;

/// A worker, and its number of open files before a hostile file was published.
struct Baseline<'w> {
    worker: &'w Worker,
    n_open_files: usize,
}

impl<'w> Baseline<'w> {
    /// Runs a job, then counts the open files.
    fn measure(redis: &Redis, worker: &'w Worker) -> Self {
        assert_trains(redis, "before");
        let idle = || descendants_of(worker.pid()).is_empty().then(|| n_open_files(worker.pid()));
        Self { worker, n_open_files: eventually("idle worker", SOON, idle) }
    }

    /// Asserts that the worker still trains, has mapped no file of the site, and has leaked neither
    /// a process nor an open file.
    fn assert_unchanged(&self, redis: &Redis, site: &Site) {
        assert_trains(redis, "after");
        assert!(self.worker.is_running());
        for folder in [site.plugins(), site.state()] {
            assert_eq!(mapped_from(self.worker.pid(), &folder), BTreeSet::new());
        }
        eventually("end of all children", SOON, || descendants_of(self.worker.pid()).is_empty().then_some(()));
        let n_open = || n_open_files(self.worker.pid());
        eventually("end of all open files", SOON, || (n_open() <= self.n_open_files).then_some(()));
    }
}

/// Asserts that a job of LightGBM succeeds.
fn assert_trains(redis: &Redis, id: &str) {
    redis.submit(&jobs::with_search_family("LightGBM", id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    assert!(results::plugin_sha256(&result, "lightgbm").is_some(), "{}", result["provenance"]);
}
