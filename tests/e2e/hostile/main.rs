//! Any file in the plugins folder is a plugin or is refused with a reason, and never disturbs the worker.

use std::collections::BTreeSet;

use oculus_tests::processes::{descendants_of, mapped_from, n_open_files};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results};

mod corruption;
mod files;
mod libraries;

/// A worker, with its number of open files before any hostile file was published.
struct Undisturbed<'w> {
    worker: &'w Worker,
    n_open_files: usize,
}

impl<'w> Undisturbed<'w> {
    /// Runs a job, then counts the open files.
    fn before(redis: &Redis, worker: &'w Worker) -> Self {
        assert_trains(redis, "before");
        let quiet = || descendants_of(worker.pid()).is_empty().then(|| n_open_files(worker.pid()));
        Self { worker, n_open_files: eventually("a quiet worker", SOON, quiet) }
    }

    /// Asserts that the worker still trains, has mapped nothing of the site, and has leaked no process or file.
    fn assert_still(&self, redis: &Redis, site: &Site) {
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
    redis.submit(&jobs::led_by("LightGBM", id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    assert!(results::plugin_sha256(&result, "lightgbm").is_some(), "{}", result["provenance"]);
}
