//! Opens sessions with the plugins of a job, on the job's feature table.

use std::io;
use std::path::Path;
use std::sync::Arc;

use oculus_job::error::JobError;
use oculus_pipeline::StartedPlugins;
use oculus_pipeline::features::{self, FeatureTable};
use oculus_pipeline::fitter::Fitter;
use oculus_pipeline::miner::Miner;
use oculus_plugin_host::gpu::Gpu;
use oculus_plugin_host::health::HealthRecord;
use oculus_plugin_host::selection::{ChosenPlugin, Selection};
use oculus_plugin_host::session::{Session, SessionConfig};
use oculus_plugin_host::table::SharedTable;

use super::plugin_log::plugin_log;
use super::spec::JobResources;

/// Opens sessions with the plugins of one job.
pub(super) struct SessionOpener<'a> {
    /// The resources that the job may use.
    pub(super) resources: &'a JobResources,
    /// The plugins of the job.
    pub(super) selection: &'a Selection,
    /// The record of the health of each plugin.
    pub(super) record: &'a Arc<HealthRecord>,
}

impl SessionOpener<'_> {
    /// Opens one session per family and one for the rule extractor. All of them read the feature
    /// table from one file.
    ///
    /// # Errors
    /// Returns `no_room_for_table` if the temporary folder has no space for the table.
    pub(super) fn open(&self, table: &FeatureTable) -> Result<StartedPlugins<'static>, JobError> {
        let shared = SharedTable::write(table).map_err(|error| features::out_of_space(&error.into()))?;
        let shared = Arc::new(shared);
        // An absent rule extractor is not an error: the job still evaluates the rules of its
        // design.
        let miner = self.selection.extractor.as_ref().ok().map(|chosen| self.session(chosen, &shared));
        let families = self.selection.chosen.iter().chain(&self.selection.baseline);
        Ok(StartedPlugins {
            fitters: families.map(|chosen| -> Box<dyn Fitter> { self.session(chosen, &shared) }).collect(),
            miner: miner.map(|miner| -> Box<dyn Miner> { miner }),
        })
    }

    /// Creates a session with one plugin. The plugin process starts with the first call.
    fn session(&self, chosen: &ChosenPlugin, shared: &Arc<SharedTable>) -> Box<Session> {
        let may_use_gpu = chosen.may_use_gpu(self.resources.device());
        let config = SessionConfig {
            gpu: may_use_gpu.then(|| open_gpu(&self.resources.gpu_lock)).flatten(),
            limits: self.resources.limits,
            listener: plugin_log(&chosen.plugin.manifest.id),
            record: Arc::clone(self.record),
        };
        Box::new(Session::new(chosen.plugin.clone(), Arc::clone(shared), config))
    }
}

/// Opens the lock file of the GPU. If it cannot be opened, the family runs without the lock.
/// Sharing the GPU is slow, but a failed job would be worse.
fn open_gpu(lock: &Path) -> Option<Gpu> {
    let log = |error: &io::Error| {
        let path = lock.display();
        tracing::warn!(
            "cannot open the GPU's lock file `{path}`: {error}; jobs may use the GPU at the same time, which is slow; \
             remove the file, or set TMPDIR to another folder"
        );
    };
    Gpu::open(lock).inspect_err(log).ok()
}
