//! The workers of a run.
//!
//! Each worker has a slot, with a proxy of its own if Redis has a fixed address. A worker that was
//! killed is started again in the same slot, with the same folder and Redis address, so that it
//! finds its spool.

use std::path::{Path, PathBuf};

use anyhow::Result;
use oculus_tests::{Worker, build, processes};
use serde_json::Value;

use crate::full_disk::FullDisk;
use crate::jobs::{JobNumber, number_of};
use crate::options::Options;
use crate::proxy::WorkerProxy;
use crate::server::Server;

/// The place of a worker.
pub(crate) struct Slot {
    // Dropped before the worker, whose folder contains the full disk.
    full_disk: Option<FullDisk>,
    worker: Worker,
    proxy: Option<WorkerProxy>,
    redis_url: String,
    settings: Vec<(String, String)>,
    /// True if the suite killed the worker and did not start it again yet.
    is_killed: bool,
}

impl Slot {
    /// Starts a worker.
    ///
    /// * `plugins_state`: a folder that all workers share, so that each plugin is probed once.
    pub(crate) fn start(server: &Server, options: &Options, plugins_state: &Path) -> Self {
        let (proxy, redis_url) = match server {
            Server::Single(server) => {
                let proxy = WorkerProxy::start(&server.redis().socket());
                let url = proxy.url();
                (Some(proxy), url)
            }
            Server::Group(group) => (None, group.url()),
        };
        let settings = settings(options, plugins_state);
        let worker = Worker::launch_at(&redis_url, &borrowed(&settings));
        Self { worker, proxy, redis_url, settings, full_disk: None, is_killed: false }
    }

    /// Waits until the worker takes jobs.
    pub(crate) fn wait_until_ready(&self) {
        self.worker.wait_until_ready();
    }

    /// Returns the process id of the worker.
    pub(crate) fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// Returns the proxy of the worker, if Redis has a fixed address.
    pub(crate) fn proxy(&self) -> Option<&WorkerProxy> {
        self.proxy.as_ref()
    }

    /// Returns whether the worker is running or stopped, but not dead.
    pub(crate) fn is_alive(&self) -> bool {
        self.worker.is_running()
    }

    /// Returns whether the worker exited although the suite did not kill it.
    pub(crate) fn has_exited_unexpectedly(&self) -> bool {
        !self.is_killed && !self.worker.is_running()
    }

    /// Kills the worker process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.is_killed = true;
        self.worker.kill();
    }

    /// Starts the worker again if it is dead.
    pub(crate) fn restart(&mut self) {
        if !self.worker.is_running() {
            self.worker.relaunch_at(&self.redis_url, &borrowed(&self.settings));
            self.is_killed = false;
        }
    }

    /// Stops the worker with SIGSTOP. Its job processes continue.
    pub(crate) fn freeze(&self) {
        processes::freeze(self.pid());
    }

    /// Continues the worker after [`Slot::freeze`].
    pub(crate) fn thaw(&self) {
        processes::thaw(self.pid());
    }

    /// Returns the processes of the worker in a role: `job` or `plugin-process`.
    pub(crate) fn processes(&self, role: &str) -> Vec<u32> {
        processes::in_role(&processes::descendants_of(self.pid()), role)
    }

    /// Fills the disk of the spool, and returns how.
    ///
    /// # Errors
    /// Returns an error if the spool cannot be made unusable.
    pub(crate) fn fill_disk(&mut self) -> Result<&'static str> {
        let full_disk = FullDisk::fill(&self.worker.spool())?;
        Ok(self.full_disk.insert(full_disk).method())
    }

    /// Makes the spool usable again.
    pub(crate) fn free_disk(&mut self) {
        self.full_disk = None;
    }

    /// Returns the number of results in the spool.
    pub(crate) fn n_spooled(&self) -> usize {
        self.spool_files().len()
    }

    /// Returns the jobs whose results are in the spool.
    pub(crate) fn spooled_jobs(&self) -> Vec<JobNumber> {
        let job = |path: &PathBuf| {
            let result: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
            number_of(result["id"].as_str()?.as_bytes())
        };
        self.spool_files().iter().filter_map(job).collect()
    }

    fn spool_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.worker.spool()).into_iter().flatten().flatten();
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
    }

    /// Returns the log of all processes of this slot.
    pub(crate) fn log(&self) -> String {
        self.worker.log()
    }
}

fn settings(options: &Options, plugins_state: &Path) -> Vec<(String, String)> {
    let plugins = build::families().to_string_lossy().into_owned();
    let settings = [
        ("LEASE_SECONDS", options.lease.to_string()),
        ("LOG_LEVEL", options.log_level.clone()),
        ("PLUGINS_DIR", plugins),
        ("PLUGINS_STATE_DIR", plugins_state.to_string_lossy().into_owned()),
        ("GPU_ENABLED", "false".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
