//! Starts the plugins of a job on its feature table.

use std::io;
use std::path::Path;
use std::sync::Arc;

use oculus_job::failure::Failure;
use oculus_pipeline::Opened;
use oculus_pipeline::features::{self, FeatureTable};
use oculus_pipeline::fitter::Fitter;
use oculus_pipeline::miner::Miner;
use oculus_plugin_host::gpu::Gpu;
use oculus_plugin_host::health::HealthRecord;
use oculus_plugin_host::selection::{Chosen, Selection};
use oculus_plugin_host::session::{Session, Terms};
use oculus_plugin_host::table::SharedTable;

use super::plugin_log::plugin_log;
use super::spec::JobResources;

/// Opens sessions with the plugins of one job.
pub(super) struct SessionOpener<'a> {
    /// What the job may use.
    pub(super) resources: &'a JobResources,
    /// The plugins of the job.
    pub(super) selection: &'a Selection,
    /// Records the health of each plugin.
    pub(super) record: &'a Arc<HealthRecord>,
}

impl SessionOpener<'_> {
    /// Starts one session per family and one for the rule extractor, all on one mapping of the table.
    ///
    /// # Errors
    /// `no_room_for_table`: the temporary folder has no space for the table.
    pub(super) fn open(&self, table: &FeatureTable) -> Result<Opened<'static>, Failure> {
        let shared = SharedTable::write(table).map_err(|error| features::out_of_space(&error.into()))?;
        let shared = Arc::new(shared);
        let miner = self.selection.extractor.as_ref().ok().map(|chosen| self.session(chosen, &shared));
        let families = self.selection.chosen.iter();
        Ok(Opened {
            fitters: families.map(|chosen| -> Box<dyn Fitter> { self.session(chosen, &shared) }).collect(),
            miner: miner.map(|miner| -> Box<dyn Miner> { miner }),
        })
    }

    fn session(&self, chosen: &Chosen, shared: &Arc<SharedTable>) -> Box<Session> {
        let may_use_gpu = chosen.may_use_gpu(self.resources.device());
        let terms = Terms {
            gpu: may_use_gpu.then(|| gpu(&self.resources.gpu_lock)).flatten(),
            limits: self.resources.limits,
            listener: plugin_log(&chosen.plugin.manifest.id),
            record: Arc::clone(self.record),
        };
        Box::new(Session::new(chosen.plugin.clone(), Arc::clone(shared), terms))
    }
}

/// Opens the GPU's lock file. If it cannot be opened, the family runs without the lock: sharing the
/// GPU is slow, failing the job is worse.
fn gpu(lock: &Path) -> Option<Gpu> {
    let log = |error: &io::Error| {
        let path = lock.display();
        tracing::warn!("the GPU cannot be kept from other jobs: `{path}`: {error}; remove it, or set TMPDIR");
    };
    Gpu::at(lock).inspect_err(log).ok()
}
